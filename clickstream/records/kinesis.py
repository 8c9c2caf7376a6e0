"""What every side asks of the stream: its shards, and to change them."""

from collections.abc import Iterator
from contextlib import contextmanager

from clickstream.aws.boto_types import KinesisClient
from clickstream.errors import ClickstreamError, Missing, RetryLater, UserMistake
from clickstream.operating.resharding import Merge, Scale, Split, Step
from clickstream.records.routing import Shard

_MAKE_IT = "make it with `clickstream local start`, or set CLICKSTREAM_NAME"


def list_shards(client: KinesisClient, stream: str) -> list[Shard]:
    """All shards of a stream, closed ones within its retention too.

    Raises Missing when there is no such stream, RetryLater when Kinesis does not answer.
    """
    from clickstream.failures.outages import translated

    with translated("Kinesis"):
        try:
            page = client.list_shards(StreamName=stream)
        except client.exceptions.ResourceNotFoundException as error:
            raise Missing(f"there is no stream {stream!r}", hint=_MAKE_IT) from error
        shards = page.get("Shards", [])
        # not botocore's paginator: it names the stream beside the token, which Kinesis refuses
        while token := page.get("NextToken"):
            page = client.list_shards(NextToken=token)
            shards += page.get("Shards", [])
    if not shards:
        raise RetryLater("ListShards: the answer broke off")
    return [Shard.from_api(dict(shard)) for shard in shards]


def take(client: KinesisClient, stream: str, step: Step) -> None:
    """Change the stream's shards; it is UPDATING on return. Raises Missing, RetryLater, UserMistake."""
    with changing():
        match step:
            case Split(shard, at):
                client.split_shard(StreamName=stream, ShardToSplit=shard.shard_id, NewStartingHashKey=str(at))
            case Merge(shard, adjacent):
                client.merge_shards(StreamName=stream, ShardToMerge=shard.shard_id, AdjacentShardToMerge=adjacent.shard_id)
            case Scale(_, target):
                client.update_shard_count(StreamName=stream, TargetShardCount=target, ScalingType="UNIFORM_SCALING")


@contextmanager
def changing() -> Iterator[None]:
    """botocore's errors during a change of shards as ours, by what the person who asked for it must do."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", str(error))
        ours: ClickstreamError
        match code:
            case "ResourceNotFoundException":
                ours = Missing(message, hint=_MAKE_IT)
            case "ResourceInUseException":
                ours = RetryLater(f"somebody else is changing the stream: {message}")
            case "LimitExceededException":
                hint = "AWS allows ten UpdateShardCount calls in 24 hours, and a number of shards per account"
                ours = UserMistake(message, hint)
            case "InvalidArgumentException" | "ValidationException" | "AccessDeniedException":
                hint = "an on-demand stream scales by itself, and by itself only" if "On-Demand" in message else ""
                ours = UserMistake(f"Kinesis refused: {message}", hint)
            case _:
                ours = RetryLater(f"{code}: {message}")
        raise ours from error
    except BotoCoreError as error:
        raise RetryLater(f"Kinesis does not answer, look with `clickstream shards list` what it has done: {error}") from error
