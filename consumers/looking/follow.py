"""All records of a stream by plain GetRecords: every shard from a starting point on, children after their parents.

For looking at a stream, not for processing it: nothing is leased and nothing is remembered. Within a shard records come in
order, and so do those of one user across reshards, because a child is read only when all its parents have ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from clickstream.errors import RetryLater
from clickstream.records.kinesis import list_shards
from clickstream.records.routing import Shard

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

READ_INTERVAL = 0.25
"""Seconds between reads of one shard: a shard allows five in a second to all its readers together."""


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


class Lineage:
    """Which shards may be read now: those whose parents have all ended, or are not there any more."""

    def __init__(self, shards: Iterable[Shard]) -> None:
        self._waiting: dict[str, Shard] = {shard.shard_id: shard for shard in shards}
        self._known = set(self._waiting)
        self._unfinished = set(self._waiting)

    def learn(self, shards: Iterable[Shard]) -> None:
        """All that ListShards has: the descendants of known shards are added, others are older than what is to be read.

        The whole listing, because a merged shard is told of when one of its parents ends, while the other one may itself be
        a child that nobody has told of yet.
        """
        unknown = {shard.shard_id: shard for shard in shards if shard.shard_id not in self._known}
        while found := [shard for shard in unknown.values() if not self._known.isdisjoint(shard.parents)]:
            for shard in found:
                del unknown[shard.shard_id]
                self._known.add(shard.shard_id)
                self._unfinished.add(shard.shard_id)
                self._waiting[shard.shard_id] = shard

    def ended(self, shard_id: str) -> None:
        self._unfinished.discard(shard_id)

    def take_readable(self) -> list[Shard]:
        """Each shard once, as soon as its turn has come."""
        readable = [shard for shard in self._waiting.values() if self._unfinished.isdisjoint(shard.parents)]
        for shard in readable:
            del self._waiting[shard.shard_id]
        return readable


class _Reading(msgspec.Struct):
    shard: Shard
    start: Start
    iterator: str | None = None
    last: str | None = None
    """Sequence number of the last record seen."""
    due_at: float = 0.0


def follow(client: KinesisClient, stream: str, start: Start, *, only: str | None = None, forever: bool) -> Iterator[Batch]:
    """Read until every shard is read to its tip, or ``forever``; ``only`` reads a single shard and not its children.

    Yields after each read, empty ones too, so that a caller can flush or stop. Raises Missing when the stream is not there,
    RetryLater when the shard is not or Kinesis does not answer.
    """
    shards = list_shards(client, stream)
    if only is not None:
        shards = [msgspec.structs.replace(shard, parents=()) for shard in shards if shard.shard_id == only]
        if not shards:
            raise RetryLater(f"stream {stream} has no shard {only}")
    elif start.kind == "LATEST":
        # what is closed has no new records
        shards = [msgspec.structs.replace(shard, parents=()) for shard in shards if shard.is_open]
    lineage = Lineage(shards)
    readings = [_Reading(shard, start) for shard in lineage.take_readable()]
    first = {shard.shard_id for shard in shards}
    while readings:
        reading = min(readings, key=lambda each: each.due_at)
        sleep(max(0.0, reading.due_at - monotonic()))
        response = _get_records(client, stream, reading)
        if response is None:
            continue
        records = response["Records"]
        yield Batch(reading.shard, records, response.get("MillisBehindLatest", 0))
        if records:
            reading.last = records[-1]["SequenceNumber"]
        reading.iterator = response.get("NextShardIterator")
        if reading.iterator is None:
            readings.remove(reading)
            lineage.ended(reading.shard.shard_id)
            if only is None:
                lineage.learn(list_shards(client, stream))
                readings += (
                    _Reading(shard, start if shard.shard_id in first else TRIM_HORIZON) for shard in lineage.take_readable()
                )
        elif not forever and response.get("MillisBehindLatest", 0) == 0:
            readings.remove(reading)


def _get_records(client: KinesisClient, stream: str, reading: _Reading) -> dict[str, Any] | None:
    """One read, or None when it has to be made again later."""
    from botocore.exceptions import BotoCoreError, ClientError

    reading.due_at = monotonic() + READ_INTERVAL
    try:
        if reading.iterator is None:
            reading.iterator = _iterator(client, stream, reading)
        return dict(client.get_records(ShardIterator=reading.iterator, Limit=10_000))
    except client.exceptions.ExpiredIteratorException:
        # five minutes without a read: the caller was busy with something else
        reading.iterator = None
        return None
    except client.exceptions.ProvisionedThroughputExceededException:
        # another reader has used up this second
        reading.due_at += 1.0
        return None
    except (ClientError, BotoCoreError) as error:
        raise RetryLater(f"reading {reading.shard.shard_id}: {error}") from error


def _iterator(client: KinesisClient, stream: str, reading: _Reading) -> str:
    shard_id = reading.shard.shard_id
    if reading.last is not None:
        response = client.get_shard_iterator(
            StreamName=stream,
            ShardId=shard_id,
            ShardIteratorType="AFTER_SEQUENCE_NUMBER",
            StartingSequenceNumber=reading.last,
        )
    elif reading.start.timestamp is not None:
        response = client.get_shard_iterator(
            StreamName=stream, ShardId=shard_id, ShardIteratorType="AT_TIMESTAMP", Timestamp=reading.start.timestamp
        )
    else:
        response = client.get_shard_iterator(StreamName=stream, ShardId=shard_id, ShardIteratorType=reading.start.kind)
    return response["ShardIterator"]
