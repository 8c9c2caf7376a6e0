"""One shard by plain GetRecords, from a starting point on, within the rate that a shard allows its readers.

For looking at a stream, not for processing it: nothing is leased and nothing is remembered.
"""

from collections.abc import Sequence
from datetime import datetime
from time import monotonic
from typing import Any, Literal

import msgspec

from clickstream.aws.boto_types import KinesisClient
from clickstream.errors import RetryLater, Throttled
from clickstream.failures.refusals import as_error
from clickstream.records.routing import Shard

#: Seconds between reads of one shard: a shard allows five in a second to all its readers together.
READ_INTERVAL_S = 0.25
#: After a refusal, since others have used up this second.
_THROTTLED_S = 1.0


class Start(msgspec.Struct, frozen=True):
    """Where to begin; ``timestamp`` (with a time zone) is set for AT_TIMESTAMP alone."""

    kind: Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"]
    timestamp: datetime | None = None


TRIM_HORIZON = Start("TRIM_HORIZON")


class Batch(msgspec.Struct, frozen=True):
    """The records of one read; ``records`` are dicts as boto3 has them."""

    shard: Shard
    records: Sequence[dict[str, Any]]
    behind_ms: int


class ShardReader:
    """The caller waits until ``due_at`` (by the monotonic clock) before each read, in its own way."""

    def __init__(self, client: KinesisClient, stream: str, shard: Shard, start: Start) -> None:
        self.shard = shard
        self.due_at = 0.0
        self.ended = False
        """The shard is closed, and all of it has been read."""
        self._client = client
        self._stream = stream
        self._start = start
        self._iterator: str | None = None
        self._last: str | None = None
        """Sequence number of the last record seen."""

    def read(self) -> Batch | None:
        """One read, or None when it has to be made again later. Raises RetryLater."""
        from botocore.exceptions import BotoCoreError, ClientError

        self.due_at = monotonic() + READ_INTERVAL_S
        try:
            if self._iterator is None:
                self._iterator = self._new_iterator()
            response = self._client.get_records(ShardIterator=self._iterator, Limit=10_000)
        except self._client.exceptions.ExpiredIteratorException:
            # five minutes without a read: the caller was busy with something else
            self._iterator = None
            return None
        except ClientError as error:
            ours = as_error("Kinesis", error)
            if isinstance(ours, Throttled):
                self.due_at += _THROTTLED_S
                return None
            raise ours if isinstance(ours, RetryLater) else RetryLater(f"reading {self.shard.shard_id}: {error}") from error
        except BotoCoreError as error:
            raise RetryLater(f"reading {self.shard.shard_id}: {error}") from error
        if response["Records"]:
            self._last = response["Records"][-1]["SequenceNumber"]
        self._iterator = response.get("NextShardIterator")
        self.ended = self._iterator is None
        records: Sequence[Any] = response["Records"]
        return Batch(self.shard, records, response.get("MillisBehindLatest", 0))

    def _new_iterator(self) -> str:
        position: dict[str, Any] = {"ShardIteratorType": self._start.kind}
        if self._last is not None:
            position = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": self._last}
        elif self._start.timestamp is not None:
            position["Timestamp"] = self._start.timestamp
        answer = self._client.get_shard_iterator(StreamName=self._stream, ShardId=self.shard.shard_id, **position)
        return answer["ShardIterator"]
