"""``clickstream shards``: look at a stream's shards, and change them."""

from collections.abc import Sequence
from time import monotonic, sleep
from typing import Any, Literal

import click
import msgspec

from clickstream.aws.boto_types import KinesisClient
from clickstream.errors import RetryLater, UserMistake
from clickstream.operating import resharding, shard_graph
from clickstream.operating.resharding import Step
from clickstream.records.kinesis import changing, list_shards, take
from clickstream.records.routing import MAX_HASH_KEY
from clickstream.settings import from_env

#: Seconds between two looks at the stream's state: short for an embedded Kinesis, then as long as AWS's quota asks for.
_FIRST_LOOK_S = 0.1
_LONGEST_LOOK_S = 2.0
#: AWS takes half a minute for a split, and many for hundreds of shards.
_WAIT_S = 1800.0

Place = int | Literal["middle"]

_JSON = click.option("--json", "as_json", is_flag=True, help="For a machine to read.")
_APPLY = click.option("--apply/--dry-run", default=False, help="Do it, or only show what would be done (the default).")


class HashKey(click.ParamType[Place]):
    """Decimal, 0x and hexadecimal digits, or ``middle``."""

    name = "hash|middle"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Place:
        if value == "middle":
            return "middle"
        try:
            number = int(value, 16 if value.lower().startswith("0x") else 10)
        except ValueError:
            number = -1
        if not 0 <= number <= MAX_HASH_KEY:
            self.fail(f"{value!r} is neither `middle` nor a hash key (0 to {MAX_HASH_KEY:#x})", param, ctx)
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
    settings = from_env()
    found = list_shards(_client(), settings.stream)
    if as_json:
        click.echo(msgspec.json.encode(shard_graph.rows(found)).decode())
    else:
        click.echo(shard_graph.tree(found) if graph else shard_graph.table(found))


@shards.command()
@click.argument("shard")
@click.option(
    "--at", type=HashKey(), default="middle", show_default=True, help="The upper child's first hash key (decimal, 0x…)."
)
@_APPLY
@_JSON
def split(shard: str, at: Place, apply: bool, as_json: bool) -> None:
    """Divide an open shard in two.

    \b
    Example:
      clickstream shards split 3
      clickstream shards split 3 --at 0x60000000000000000000000000000000 --apply
    """
    stream = from_env().stream
    step = resharding.split(list_shards(_client(), stream), shard, None if at == "middle" else at)
    _carry_out(stream, [step], apply=apply, as_json=as_json)


@shards.command(epilog="Example: clickstream shards merge 4 5 --apply")
@click.argument("shard")
@click.argument("neighbour", metavar="SHARD")
@_APPLY
@_JSON
def merge(shard: str, neighbour: str, apply: bool, as_json: bool) -> None:
    """Make one shard of two open ones whose hash ranges touch."""
    stream = from_env().stream
    _carry_out(stream, [resharding.merge(list_shards(_client(), stream), shard, neighbour)], apply=apply, as_json=as_json)


@shards.command(epilog="Example: clickstream shards scale 8 --apply")
@click.argument("count", type=click.IntRange(1, 10_000))
@_APPLY
@_JSON
def scale(count: int, apply: bool, as_json: bool) -> None:
    """Have COUNT open shards of equal size.

    Kinesis takes at most twice and at least half of the open shards in one call, and ten calls in 24 hours: a longer way goes
    in steps. COUNT shards that splits and merges have made unequal are made equal.
    """
    stream = from_env().stream
    found = list_shards(_client(), stream)
    current = sum(shard.is_open for shard in found)
    steps = resharding.scale(current, count, equal=resharding.are_equal(found))
    _carry_out(stream, steps, apply=apply, as_json=as_json)
    if apply and not resharding.are_equal(left := list_shards(_client(), stream)):
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
        _carry_out(settings.stream, steps, apply=True, as_json=False, show=not as_json)
    elif steps:
        _say("dry run: nothing was changed; --apply does it")


def _client(*, attempts: int = 4) -> KinesisClient:
    # boto3 is slow to import: only who reaches AWS pays
    from clickstream.aws import Clients

    return Clients(from_env(), attempts=attempts).kinesis


def _say(line: str) -> None:
    click.echo(f"clickstream: {line}", err=True)


def _carry_out(stream: str, steps: Sequence[Step], *, apply: bool, as_json: bool, show: bool = True) -> None:
    """Show the steps, or take them and show what came of it."""
    client = _client()
    if apply:
        # one attempt: a split whose answer was lost must not be asked for again by itself
        once = _client(attempts=1)
        _wait_until_active(client, stream)
        for step in steps:
            _say(resharding.described(step))
            take(once, stream, step)
            waited = _wait_until_active(client, stream)
            _say(f"done after {waited:.1f} s")
    if not steps:
        _say("nothing to do: it has that many open shards of equal size already")
    if not show:
        return
    if as_json:
        shards = shard_graph.rows(list_shards(client, stream))
        outcome = {"applied": apply, "steps": [resharding.described(step) for step in steps], "shards": shards}
        click.echo(msgspec.json.encode(outcome).decode())
    elif apply:
        click.echo(shard_graph.tree(list_shards(client, stream)))
    else:
        for step in steps:
            click.echo(f"would {resharding.described(step)}")
    if steps and not apply:
        _say("dry run: nothing was changed; --apply does it")


def _wait_until_active(client: KinesisClient, stream: str) -> float:
    """How many seconds it took. Raises RetryLater when the stream is not ACTIVE in time, or Kinesis does not answer."""
    started, look_s = monotonic(), _FIRST_LOOK_S
    said_s = 0.0
    while (status := _status(client, stream)) != "ACTIVE":
        waited = monotonic() - started
        if waited > _WAIT_S:
            raise RetryLater(f"the stream is still {status} after {waited:.0f} s: look again with `clickstream shards list`")
        if waited - said_s >= 5:
            said_s = waited
            _say(f"{status} for {waited:.0f} s")
        sleep(look_s)
        look_s = min(_LONGEST_LOOK_S, look_s * 1.5)
    return monotonic() - started


def _status(client: KinesisClient, stream: str) -> str:
    with changing():
        return client.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamStatus"]
