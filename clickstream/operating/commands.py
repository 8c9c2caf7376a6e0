"""``clickstream shards``: look at a stream's shards, and change them."""

from collections.abc import Sequence
from time import monotonic, sleep

import click
import msgspec

from clickstream.aws.boto_types import KinesisClient
from clickstream.errors import RetryLater, UserMistake
from clickstream.operating import resharding, shard_graph
from clickstream.operating.resharding import Step
from clickstream.records.kinesis import changing, list_shards, take
from clickstream.records.routing import MAX_HASH_KEY, Shard
from clickstream.settings import from_env

#: Seconds between two looks at the stream's state: short for an embedded Kinesis, then as long as AWS's quota asks for.
_FIRST_LOOK_S = 0.1
_LONGEST_LOOK_S = 2.0
#: AWS takes half a minute for a split, and many for hundreds of shards.
_WAIT_S = 1800.0

_JSON = click.option("--json", "as_json", is_flag=True, help="For a machine to read.")
_APPLY = click.option("--apply/--dry-run", default=False, help="Do it, or only show what would be done (the default).")


def _hash_key(text: str) -> int | None:
    """Decimal, or 0x and hexadecimal digits; None for ``middle``."""
    if text == "middle":
        return None
    try:
        number = int(text, 16 if text.lower().startswith("0x") else 10)
    except ValueError:
        number = -1
    if not 0 <= number <= MAX_HASH_KEY:
        raise click.BadParameter(f"{text!r} is neither `middle` nor a hash key (0 to {MAX_HASH_KEY:#x})")
    return number


@click.group()
def shards() -> None:
    """The stream's shards: list, split, merge, scale, and advice about them.

    A SHARD is named by its id, or by the number in it. What changes the stream only says what it would do, until --apply.
    Publishers and workers of this platform go on meanwhile: docs/explanation/resharding.md says how.

    \b
    Example:
      clickstream shards list --graph
      clickstream shards split 3 --apply
      clickstream shards scale 8 --apply
    """


@shards.command("list", epilog="Example: clickstream shards list --graph")
@click.option("--graph", is_flag=True, help="As a tree of parents and children.")
@_JSON
def list_command(graph: bool, as_json: bool) -> None:
    """All shards within the stream's retention: state, hash range, share of the key space, parents."""
    if graph and as_json:
        raise click.UsageError("--graph is for people, --json for machines: choose one")
    _, found = _listed()
    if as_json:
        click.echo(msgspec.json.encode(shard_graph.rows(found)))
    elif graph:
        click.echo(shard_graph.tree(found))
    else:
        shard_graph.print_rows(found)


@shards.command()
@click.argument("shard")
@click.option(
    "--at",
    type=_hash_key,
    default="middle",
    show_default=True,
    metavar="HASH|MIDDLE",
    help="The upper child's first hash key (decimal, 0x…).",
)
@_APPLY
@_JSON
def split(shard: str, at: int | None, apply: bool, as_json: bool) -> None:
    """Divide an open shard in two.

    \b
    Example:
      clickstream shards split 3
      clickstream shards split 3 --at 0x60000000000000000000000000000000 --apply
    """
    stream, found = _listed()
    _carry_out(stream, [resharding.split(found, shard, at)], apply=apply, as_json=as_json)


@shards.command(epilog="Example: clickstream shards merge 4 5 --apply")
@click.argument("shard")
@click.argument("neighbour", metavar="SHARD")
@_APPLY
@_JSON
def merge(shard: str, neighbour: str, apply: bool, as_json: bool) -> None:
    """Make one shard of two open ones whose hash ranges touch."""
    stream, found = _listed()
    _carry_out(stream, [resharding.merge(found, shard, neighbour)], apply=apply, as_json=as_json)


@shards.command(epilog="Example: clickstream shards scale 8 --apply")
@click.argument("count", type=click.IntRange(1, 10_000))
@_APPLY
@_JSON
def scale(count: int, apply: bool, as_json: bool) -> None:
    """Have COUNT open shards of equal size.

    Kinesis takes at most twice and at least half of the open shards in one call, and ten calls in 24 hours: a longer way goes
    in steps. COUNT shards that splits and merges have made unequal are made equal.
    """
    stream, found = _listed()
    current = sum(shard.is_open for shard in found)
    steps = resharding.scale(current, count, equal=resharding.are_equal(found))
    _carry_out(stream, steps, apply=apply, as_json=as_json)
    if apply and not resharding.are_equal(left := _listed()[1]):
        sizes = sorted(resharding.share(*resharding.bounds(shard.hash_range)) for shard in left if shard.is_open)
        unequal = f"Kinesis has made {len(sizes)} shards that are not equal: {sizes[0]:.2%} to {sizes[-1]:.2%} of the keys each"
        raise UserMistake(unequal, hint="`clickstream shards split` and `merge` change single ones")


@shards.command("advise", epilog="Example: clickstream shards advise --window 60")
@click.option(
    "--window", default=30.0, show_default=True, type=click.FloatRange(1, 300), help="Seconds of arrivals to look at."
)
@_APPLY
@_JSON
def advise_command(window: float, apply: bool, as_json: bool) -> None:
    """What to change: a worker more, a split at this hash key, a merge, another mode, or nothing; why, and at which cost.

    Looks at what arrived in each shard lately, at its keys, and at how far each application is behind. --apply makes the
    splits, merges and scalings; a worker is started, and a mode changed, by a person.

    \b
    With --json: {"advice": [{"kind", "what", "reason", "cost": $ a month, "applies": bool}, ...], "applied": bool}
    """
    from clickstream.aws import Clients
    from clickstream.operating import advice
    from clickstream.operating.observing import look

    settings = from_env()
    found = advice.advise(look(Clients(settings), settings, window_s=window))
    steps = [each.step for each in found if each.step is not None]
    if as_json:
        click.echo(msgspec.json.encode({"advice": [advice.document(each) for each in found], "applied": apply and bool(steps)}))
    else:
        for each in found:
            click.echo(advice.line(each))
    if not found:
        _say("all is well: nothing to change")
    elif apply and steps:
        _take(settings.stream, steps)
        if not as_json:
            click.echo(shard_graph.tree(_listed()[1]))
    elif steps:
        _say("dry run: nothing was changed; --apply does it")


def _client(*, attempts: int = 4) -> KinesisClient:
    # boto3 is slow to import: only who reaches AWS pays
    from clickstream.aws import Clients

    return Clients(from_env(), attempts=attempts).kinesis


def _listed() -> tuple[str, list[Shard]]:
    """The stream's name, and its shards."""
    stream = from_env().stream
    return stream, list_shards(_client(), stream)


def _say(line: str) -> None:
    click.echo(f"clickstream: {line}", err=True)


def _take(stream: str, steps: Sequence[Step]) -> None:
    # one attempt: a split whose answer was lost must not be asked for again by itself
    client, once = _client(), _client(attempts=1)
    _wait_until_active(client, stream)
    for step in steps:
        _say(resharding.described(step))
        take(once, stream, step)
        _say(f"done after {_wait_until_active(client, stream):.1f} s")


def _carry_out(stream: str, steps: Sequence[Step], *, apply: bool, as_json: bool) -> None:
    """Show the steps, or take them and show what came of it."""
    if apply:
        _take(stream, steps)
    if not steps:
        _say("nothing to do: it has that many open shards of equal size already")
    if as_json:
        shards = shard_graph.rows(_listed()[1])
        outcome = {"applied": apply, "steps": [resharding.described(step) for step in steps], "shards": shards}
        click.echo(msgspec.json.encode(outcome))
    elif apply:
        click.echo(shard_graph.tree(_listed()[1]))
    else:
        for step in steps:
            click.echo(f"would {resharding.described(step)}")
    if steps and not apply:
        _say("dry run: nothing was changed; --apply does it")


def _wait_until_active(client: KinesisClient, stream: str) -> float:
    """How many seconds it took. Raises RetryLater when the stream is not ACTIVE in time, or Kinesis does not answer."""
    started, look_s, said_s = monotonic(), _FIRST_LOOK_S, 0.0
    while True:
        with changing():
            status = client.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamStatus"]
        waited = monotonic() - started
        if status == "ACTIVE":
            return waited
        if waited > _WAIT_S:
            raise RetryLater(f"the stream is still {status} after {waited:.0f} s: look again with `clickstream shards list`")
        if waited - said_s >= 5:
            said_s = waited
            _say(f"{status} for {waited:.0f} s")
        sleep(look_s)
        look_s = min(_LONGEST_LOOK_S, look_s * 1.5)
