"""Finds one event id in the stream: only where and when it can be, and a record is opened only when it holds the id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import msgspec

from clickstream.aggregation import is_aggregated
from clickstream.errors import RetryLater
from clickstream.refusals import Kind, error_code, kind_of
from clickstream.routing import Shard, hash_key
from consumers.explain.life import Sighting, Stretch
from consumers.follow import READ_INTERVAL
from consumers.looking import delivered, looked_at
from consumers.runtime.decoding import Rejection
from consumers.runtime.outages import translated

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

#: Shards read at a time; more would only share this process's time.
_THREADS = 8
#: The records of one read are at most 10 MB; a match is then followed for this long, for the repetitions of a client.
_REPEATS_MS = 30_000


def shards_of(shards: Iterable[Shard], user_id: str | None) -> list[Shard]:
    """Where the user's events can be; every shard when the user is not known."""
    if user_id is None:
        return list(shards)
    key = hash_key(user_id)
    return [shard for shard in shards if key in shard.hash_range]


def search(client: KinesisClient, stream: str, event_id: str, shards: Sequence[Shard], stretch: Stretch) -> list[Sighting]:
    """Every record with this id that arrived within the stretch. Raises RetryLater."""
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="explain") as threads:
        found = threads.map(lambda shard: list(_in_shard(client, stream, event_id, shard, stretch)), shards)
        return [sighting for sightings in found for sighting in sightings]


def _in_shard(client: KinesisClient, stream: str, event_id: str, shard: Shard, stretch: Stretch) -> Iterator[Sighting]:
    until_ms = stretch.end_ms
    for records in _reads(client, stream, shard.shard_id, stretch.start_ms):
        for record in records:
            arrived_ms = int(record["ApproximateArrivalTimestamp"].timestamp() * 1000)
            if until_ms is not None and arrived_ms > until_ms:
                return
            for sighting in sightings(record, arrived_ms, event_id, shard):
                until_ms = min(until_ms or arrived_ms + _REPEATS_MS, arrived_ms + _REPEATS_MS)
                yield sighting


def _reads(client: KinesisClient, stream: str, shard_id: str, start_ms: int | None) -> Iterator[Sequence[dict[str, Any]]]:
    """The records from a moment on, read by read, until the shard's end or its tip."""
    with translated("Kinesis"):
        if start_ms is None:
            answer = client.get_shard_iterator(StreamName=stream, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON")
        else:
            moment = datetime.fromtimestamp(start_ms / 1000, UTC)
            answer = client.get_shard_iterator(
                StreamName=stream, ShardId=shard_id, ShardIteratorType="AT_TIMESTAMP", Timestamp=moment
            )
    iterator: str | None = answer["ShardIterator"]
    while iterator:
        began = monotonic()
        response = _get_records(client, iterator)
        if response is not None:
            yield response["Records"]
            iterator = response.get("NextShardIterator")
            if response.get("MillisBehindLatest", 0) == 0:
                return
        sleep(max(0.0, READ_INTERVAL - (monotonic() - began)))


def _get_records(client: KinesisClient, iterator: str) -> dict[str, Any] | None:
    """None when the shard's other readers have used up this second."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return dict(client.get_records(ShardIterator=iterator, Limit=10_000))
    except ClientError as error:
        if kind_of(error_code(error)) is Kind.SLOWER:
            return None
        raise RetryLater(f"Kinesis: {error}") from error
    except BotoCoreError as error:
        raise RetryLater(f"Kinesis: {error}") from error


class _OnlyId(msgspec.Struct):
    event_id: str | None = None


def sightings(record: dict[str, Any], arrived_ms: int, event_id: str, shard: Shard) -> Iterator[Sighting]:
    """The members of a Kinesis record (a dict as boto3 has it) that carry this id."""
    # an aggregate holds its members' bytes as they are, so one look tells whether it need be opened
    if not _may_hold(record["Data"], event_id):
        return
    members = delivered(record)
    carriers = [each for each in members if _may_hold(each.data, event_id) and _carries(each.data, event_id)]
    for look in looked_at(carriers, shard):
        yield Sighting(
            shard=shard.shard_id,
            sequence_number=look.record.sequence_number,
            sub_sequence_number=look.record.sub_sequence_number,
            arrived_ms=arrived_ms,
            members=len(members),
            at_home=look.at_home,
            event=look.event.error if isinstance(look.event, Rejection) else look.event,
        )


def _may_hold(data: bytes, event_id: str) -> bool:
    """JSON may write any character as an escape, but no escape without a backslash."""
    return event_id.encode() in data or b"\\" in data


def _carries(data: bytes, event_id: str) -> bool:
    """Whether the record is of this id: of an aggregate that cannot be opened, as far as can be known."""
    return event_id.encode() in data if is_aggregated(data) else _id_of(data) == event_id


def _id_of(data: bytes) -> str | None:
    try:
        return msgspec.json.decode(data, type=_OnlyId).event_id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
