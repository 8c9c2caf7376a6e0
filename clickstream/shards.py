"""``clickstream shards``: look at a stream's shards, and change them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click
import msgspec

from clickstream import resharding, shard_graph
from clickstream.errors import ClickstreamError, Missing, RetryLater, UserMistake
from clickstream.kinesis import list_shards
from clickstream.resharding import Merge, Scale, Split, Step
from clickstream.routing import MAX_HASH_KEY
from clickstream.settings import from_env

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

#: Seconds between two looks at the stream's state: short for an embedded Kinesis, then as long as AWS's quota asks for.
_FIRST_LOOK_S = 0.1
_LONGEST_LOOK_S = 2.0
#: AWS takes half a minute for a split, and many for hundreds of shards.
_WAIT_S = 1800.0

Answer = TypeVar("Answer")
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
    """The stream's shards: list, split, merge, scale.

    A SHARD is named by its id, or by the number in it. What changes the stream only says what it would do, until --apply.
    Publishers and workers of this platform need not be stopped for it: docs/resharding.md says what they do meanwhile.

    \b
    Example:
      clickstream shards list --graph
      clickstream shards split 3 --apply
      clickstream shards scale 8 --apply
    """


@shards.command("list")
@click.option("--graph", is_flag=True, help="As a tree of parents and children.")
@_JSON
def list_command(graph: bool, as_json: bool) -> None:
    """All shards within the stream's retention: state, hash range, share of the key space, parents.

    \b
    Example:
      clickstream shards list --graph
    """
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


@shards.command()
@click.argument("shard")
@click.argument("neighbour", metavar="SHARD")
@_APPLY
@_JSON
def merge(shard: str, neighbour: str, apply: bool, as_json: bool) -> None:
    """Make one shard of two open ones whose hash ranges touch.

    \b
    Example:
      clickstream shards merge 4 5 --apply
    """
    stream = from_env().stream
    _carry_out(stream, [resharding.merge(list_shards(_client(), stream), shard, neighbour)], apply=apply, as_json=as_json)


@shards.command()
@click.argument("count", type=click.IntRange(1, 10_000))
@_APPLY
@_JSON
def scale(count: int, apply: bool, as_json: bool) -> None:
    """Have COUNT open shards of equal size.

    Kinesis takes at most twice and at least half of the open shards in one call, and ten calls in 24 hours: a longer way goes
    in steps.

    \b
    Example:
      clickstream shards scale 8 --apply
    """
    stream = from_env().stream
    current = sum(shard.is_open for shard in list_shards(_client(), stream))
    _carry_out(stream, resharding.scale(current, count), apply=apply, as_json=as_json)


def _client(*, attempts: int = 4) -> KinesisClient:
    # boto3 is slow to import: only who reaches AWS pays
    from clickstream.aws import Clients

    return Clients(from_env(), attempts=attempts).kinesis


def _say(line: str) -> None:
    click.echo(f"clickstream: {line}", err=True)


def _carry_out(stream: str, steps: Sequence[Step], *, apply: bool, as_json: bool) -> None:
    """Show the steps, or take them and show what came of it."""
    client = _client()
    if apply:
        # one attempt: a split whose answer was lost must not be asked for again by itself
        once = _client(attempts=1)
        _wait_until_active(client, stream)
        for step in steps:
            _say(resharding.told(step))
            _call(once, stream, step)
            waited = _wait_until_active(client, stream)
            _say(f"done after {waited:.1f} s")
    if not steps:
        _say("nothing to do: it has that many open shards already")
    if as_json:
        shards = shard_graph.rows(list_shards(client, stream))
        outcome = {"applied": apply, "steps": [resharding.told(step) for step in steps], "shards": shards}
        click.echo(msgspec.json.encode(outcome).decode())
    elif apply:
        click.echo(shard_graph.tree(list_shards(client, stream)))
    else:
        for step in steps:
            click.echo(f"would {resharding.told(step)}")
    if steps and not apply:
        _say("dry run: nothing was changed; --apply does it")


def _wait_until_active(client: KinesisClient, stream: str) -> float:
    """How many seconds it took. Raises RetryLater when the stream is not ACTIVE in time, or Kinesis does not answer."""
    started, look_s = monotonic(), _FIRST_LOOK_S
    told_s = 0.0
    while (status := _status(client, stream)) != "ACTIVE":
        waited = monotonic() - started
        if waited > _WAIT_S:
            raise RetryLater(f"the stream is still {status} after {waited:.0f} s: look again with `clickstream shards list`")
        if waited - told_s >= 5:
            told_s = waited
            _say(f"{status} for {waited:.0f} s")
        sleep(look_s)
        look_s = min(_LONGEST_LOOK_S, look_s * 1.5)
    return monotonic() - started


def _status(client: KinesisClient, stream: str) -> str:
    return _translated(lambda: client.describe_stream_summary(StreamName=stream))["StreamDescriptionSummary"]["StreamStatus"]


def _call(client: KinesisClient, stream: str, step: Step) -> None:
    match step:
        case Split(shard, at):
            _translated(lambda: client.split_shard(StreamName=stream, ShardToSplit=shard.shard_id, NewStartingHashKey=str(at)))
        case Merge(shard, adjacent):
            _translated(
                lambda: client.merge_shards(
                    StreamName=stream, ShardToMerge=shard.shard_id, AdjacentShardToMerge=adjacent.shard_id
                )
            )
        case Scale(_, target):
            _translated(
                lambda: client.update_shard_count(StreamName=stream, TargetShardCount=target, ScalingType="UNIFORM_SCALING")
            )


def _translated(call: Callable[[], Answer]) -> Answer:
    """The call's answer, or one of our errors."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call()
    except ClientError as error:
        raise _refusal(error.response["Error"]["Code"], error.response["Error"].get("Message", str(error))) from error
    except BotoCoreError as error:
        raise RetryLater(f"Kinesis does not answer, look with `clickstream shards list` what it has done: {error}") from error


def _refusal(code: str, message: str) -> ClickstreamError:
    match code:
        case "ResourceNotFoundException":
            return Missing(message, hint="make it with `clickstream local start`, or set CLICKSTREAM_NAME")
        case "ResourceInUseException":
            return RetryLater(f"somebody else is changing the stream: {message}")
        case "LimitExceededException":
            return UserMistake(
                message, hint="AWS allows ten UpdateShardCount calls in 24 hours, and a number of shards per account"
            )
        case "InvalidArgumentException" | "ValidationException" | "AccessDeniedException":
            return UserMistake(f"Kinesis refused: {message}", hint="an on-demand stream scales by itself, and by itself only")
        case _:
            return RetryLater(f"{code}: {message}")
