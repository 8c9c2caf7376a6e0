"""Finds one event id in the stream: only where and when it can be, and a record is opened only when it holds the id."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from math import inf
from threading import Event
from time import monotonic
from typing import Any, NamedTuple

from clickstream.aws.boto_types import KinesisClient
from clickstream.consumers.explain.life import Put, Sighting, Stretch, Unread
from clickstream.consumers.looking.records import delivered, looked_at
from clickstream.consumers.runtime.faults.dead_letters import event_id_in
from clickstream.consumers.runtime.loop.decoding import Rejection
from clickstream.records.aggregation import is_aggregated
from clickstream.records.blocks import is_compressed
from clickstream.records.reading import TRIM_HORIZON, ShardReader, Start
from clickstream.records.routing import Shard, hash_key

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


class Limit:
    """Ends a search: after some seconds, or when it is cancelled."""

    def __init__(self, seconds: float = inf) -> None:
        self._end = monotonic() + seconds
        self._cancelled = Event()

    @property
    def reached(self) -> bool:
        return self._cancelled.is_set() or monotonic() >= self._end

    def cancel(self) -> None:
        self._cancelled.set()

    def rest(self, seconds: float) -> None:
        """Wait so long, but not beyond the end."""
        self._cancelled.wait(max(0.0, min(seconds, self._end - monotonic())))


class Found(NamedTuple):
    sightings: list[Sighting]
    unread: list[Unread]


def search(client: KinesisClient, stream: str, event_id: str, shards: Sequence[Shard], stretch: Stretch, limit: Limit) -> Found:
    """Every record with this id that arrived within the stretch, and what the limit left unread of it. Raises RetryLater."""
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="explain") as threads:
        try:
            found = list(threads.map(lambda shard: _in_shard(client, stream, event_id, shard, stretch, limit), shards))
        except BaseException:
            # Ctrl-C, or a shard that failed: the pool's end waits for the others
            limit.cancel()
            raise
    return Found([each for one in found for each in one.sightings], [each for one in found for each in one.unread])


def _in_shard(client: KinesisClient, stream: str, event_id: str, shard: Shard, stretch: Stretch, limit: Limit) -> Found:
    """To the stretch's end, or the shard's end or tip."""
    found: list[Sighting] = []
    until_ms, read_ms = stretch.end_ms, stretch.start_ms
    start = TRIM_HORIZON if read_ms is None else Start("AT_TIMESTAMP", datetime.fromtimestamp(read_ms / 1000, UTC))
    reader = ShardReader(client, stream, shard, start)
    while not reader.ended:
        if limit.reached:
            return Found(found, [Unread(shard=shard.shard_id, since=read_ms)])
        batch = reader.read()
        for record in batch.records if batch else ():
            read_ms = arrived_ms = int(record["ApproximateArrivalTimestamp"].timestamp() * 1000)
            if until_ms is not None and arrived_ms > until_ms:
                return Found(found, [])
            if here := list(sightings(record, arrived_ms, event_id, shard)):
                until_ms = min(until_ms or arrived_ms + _REPEATS_MS, arrived_ms + _REPEATS_MS)
                found += here
        if batch is not None and batch.behind_ms == 0:
            break
        limit.rest(reader.due_at - monotonic())
    return Found(found, [])


def sightings(record: dict[str, Any], arrived_ms: int, event_id: str, shard: Shard) -> Iterator[Sighting]:
    """The events of a Kinesis record (a dict as boto3 has it) that carry this id."""
    # but for a compressed one it holds their bytes as they are, so one search shows whether it need be opened
    if not is_compressed(record["Data"]) and not _may_hold(record["Data"], event_id):
        return
    members = delivered(record)
    carriers = [each for each in members if _may_hold(each.data, event_id) and _carries(each.data, event_id)]
    for look in looked_at(carriers, shard):
        put = Put(
            shard=shard.shard_id,
            sequence_number=look.record.sequence_number,
            sub_sequence_number=look.record.sub_sequence_number,
            arrived_at=arrived_ms,
            members=len(members),
            fate="takes effect",
        )
        yield Sighting(put, look.at_home, look.event.error if isinstance(look.event, Rejection) else look.event)


def _may_hold(data: bytes, event_id: str) -> bool:
    """JSON may write any character as an escape, but no escape without a backslash."""
    return event_id.encode() in data or b"\\" in data


def _carries(data: bytes, event_id: str) -> bool:
    """Whether the record is of this id: of an aggregate that cannot be opened, as far as can be known."""
    return event_id.encode() in data if is_aggregated(data) else event_id_in(data) == event_id
