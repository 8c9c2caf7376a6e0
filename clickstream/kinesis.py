"""What every side asks of the stream: its shards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream.errors import Missing, RetryLater
from clickstream.routing import Shard

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient


def list_shards(client: KinesisClient, stream: str) -> list[Shard]:
    """All shards of a stream, closed ones within its retention too.

    Raises Missing when there is no such stream, RetryLater when Kinesis does not answer.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        page = client.list_shards(StreamName=stream)
        shards = page["Shards"]
        # not botocore's paginator: it names the stream beside the token, which Kinesis refuses
        while token := page.get("NextToken"):
            page = client.list_shards(NextToken=token)
            shards += page["Shards"]
        return [Shard.from_api(dict(shard)) for shard in shards]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            raise Missing(
                f"there is no stream {stream!r}", hint="make it with `clickstream local start`, or set CLICKSTREAM_NAME"
            ) from error
        raise RetryLater(f"ListShards: {error}") from error
    except BotoCoreError as error:
        raise RetryLater(f"Kinesis does not answer: {error}") from error
