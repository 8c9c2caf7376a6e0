"""The stream: the embedded Kinesis's model, reached over a network that loses calls and answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import NamedTuple

from clickstream.consumers.runtime.loop.wire import Record
from clickstream.errors import Forbidden, Rejected, RetryLater, Throttled
from clickstream.infra.local.kinesis.model import shards as model_shards
from clickstream.infra.local.kinesis.model.errors import ExpiredIteratorException
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.records import PutEntry, ReadRecord, StartingPosition
from clickstream.infra.local.kinesis.model.settings import ModelSettings
from clickstream.infra.local.kinesis.operations.reading import get_records, get_shard_iterator
from clickstream.infra.local.kinesis.operations.shard_listing import list_shards
from clickstream.infra.local.kinesis.operations.streams import create_stream
from clickstream.infra.local.kinesis.operations.writing import put_record, put_records
from clickstream.load.simulation.chance import Chance
from clickstream.load.simulation.fleet.deaggregation import Range, delivered
from clickstream.load.simulation.fleet.lines import read
from clickstream.load.simulation.fleet.scheduler import Process, Scheduler
from clickstream.producers.publisher.puts import CallFailed, Parcel, Placed, Put, PutResult, Refused
from clickstream.records.routing import HashRange, Shard

NAME = "simulated"


class Stream:
    """Calls of it are made by tasks; what is on the network arrives although its sender may have died."""

    def __init__(self, scheduler: Scheduler, chance: Chance) -> None:
        self.model = Kinesis(ModelSettings(seed=chance.plan.seed))
        create_stream(self.model, NAME, scheduler.now, shard_count=chance.plan.shards)
        self._scheduler = scheduler
        self._chance = chance
        self._random = Random(f"stream {chance.plan.seed}")
        self._network = Process(scheduler, "network")
        self._earlier_listing = self.shards()
        self.last_put_ms = scheduler.now

    @property
    def in_flight(self) -> bool:
        """Whether puts are on the network."""
        return bool(self._network.tasks)

    # the publisher's side

    def put(self, put: Put, answer: Callable[[PutResult], None]) -> None:
        self._network.spawn(lambda: answer(self._put(put)))

    def _put(self, put: Put) -> PutResult:
        scheduler, chance, plan = self._scheduler, self._chance, self._chance.plan
        scheduler.sleep(chance.latency_ms())
        if chance.strikes("put failed", plan.put_failed):
            return CallFailed(RetryLater("no connection"))
        if chance.strikes("put rejected", plan.put_rejected):
            return CallFailed(Rejected("ValidationException"))
        if chance.strikes("put forbidden", plan.put_forbidden):
            return CallFailed(Forbidden("AccessDeniedException", action="kinesis:PutRecords", resource=NAME))
        if chance.strikes("put throttled", plan.put_throttled):
            return CallFailed(Throttled("slower"))
        partial = chance.strikes("put refused in part", plan.put_partial)
        outcomes = [
            Refused(Throttled("ProvisionedThroughputExceededException"))
            if partial and self._random.random() < 0.5
            else self._place(parcel)
            for parcel in put.parcels
        ]
        scheduler.sleep(chance.latency_ms())
        if chance.strikes("put answer lost", plan.put_lost):
            return CallFailed(RetryLater("no answer"))
        return outcomes

    def _place(self, parcel: Parcel) -> Placed:
        self.last_put_ms = self._scheduler.now
        entry = PutEntry(parcel.partition_key, parcel.data, parcel.explicit_hash_key)
        (result,) = put_records(self.model, NAME, [entry], self._scheduler.now).records
        assert result.shard_id is not None
        assert result.sequence_number is not None
        self._scheduler.note("stream", len(parcel.members), "events to", result.shard_id, result.sequence_number)
        return Placed(result.shard_id, result.sequence_number)

    def put_raw(self, partition_key: str, data: bytes) -> str:
        """A record from a program that is none of ours; the shard that it came to."""
        self.last_put_ms = self._scheduler.now
        result = put_record(self.model, NAME, PutEntry(partition_key, data), self._scheduler.now)
        assert result.shard_id is not None
        self._scheduler.note("stream", len(data), "raw bytes to", result.shard_id, result.sequence_number)
        return result.shard_id

    # listings

    def shards(self) -> list[Shard]:
        """All shards as they are."""
        graph = list_shards(self.model, NAME, self._scheduler.now).shards
        return [
            Shard(
                shard_id=shard.shard_id,
                hash_range=HashRange(shard.start, shard.end),
                parents=tuple(model_shards.shard_id(parent) for parent in shard.parents),
                is_open=shard.is_open,
            )
            for shard in graph
        ]

    def list_shards(self) -> list[Shard]:
        """As ListShards answers: late, possibly old. Raises RetryLater."""
        self._scheduler.sleep(self._chance.latency_ms())
        if self._chance.strikes("listing failed", self._chance.plan.stale_listing / 4):
            raise RetryLater("ListShards: no answer")
        listed = self.shards()
        if self._chance.strikes("stale listing", self._chance.plan.stale_listing):
            listed = self._earlier_listing
        elif self._random.random() < 0.5:
            self._earlier_listing = listed
        self._scheduler.sleep(self._chance.latency_ms())
        return listed

    # KCL's side

    def reader(self, shard_id: str, sequence_number: str, sub: int) -> Reader:
        return Reader(self, shard_id, sequence_number, sub)

    def read(self, reader: Reader, limit: int) -> Batch | None:
        """The next user records of a shard; None when the call failed."""
        scheduler, chance, plan = self._scheduler, self._chance, self._chance.plan
        scheduler.sleep(chance.latency_ms())
        if chance.strikes("read throttled", plan.read_throttled):
            return None
        try:
            if chance.strikes("iterator expired", plan.iterator_expired):
                raise ExpiredIteratorException("Iterator expired.")
            iterator = reader.iterator or get_shard_iterator(self.model, NAME, reader.shard_id, reader.start, scheduler.now)
            result = get_records(self.model, iterator, scheduler.now, limit)
        except ExpiredIteratorException:
            reader.iterator = None
            return None
        reader.iterator = result.next_iterator
        records = [record for raw in result.records for record in reader.deaggregate(raw, self._is_filtered(reader))]
        if result.records:
            reader.start = StartingPosition("AFTER_SEQUENCE_NUMBER", result.records[-1].sequence_number)
        return Batch(records, result.millis_behind_latest, result.next_iterator is None)

    def _is_filtered(self, reader: Reader) -> bool:
        match self._chance.plan.range_filter:
            case "on":
                return True
            case "off":
                return False
            case "late":
                if reader.filtered_from is None:
                    reader.filtered_from = self._scheduler.now + self._random.randrange(12_000)
                return self._scheduler.now >= reader.filtered_from

    def range_of(self, shard_id: str) -> Range:
        (shard,) = [one for one in list_shards(self.model, NAME, self._scheduler.now).shards if one.shard_id == shard_id]
        return Range(model_shards.key_number(shard.start), model_shards.key_number(shard.end))

    def records(self, shard_id: str) -> Iterator[ReadRecord]:
        """All that a shard holds."""
        now = self._scheduler.now
        iterator: str | None = get_shard_iterator(self.model, NAME, shard_id, StartingPosition("TRIM_HORIZON"), now)
        while iterator is not None:
            page = get_records(self.model, iterator, now)
            yield from page.records
            iterator = page.next_iterator if page.records else None

    def reach(self, shard_id: str, position: tuple[int, int]) -> tuple[int, int]:
        """How far KCL's position goes: it skips a block whole, all of its lines."""
        number, sub = position
        if number < 0:
            return position
        start, now = StartingPosition("AT_SEQUENCE_NUMBER", str(number)), self._scheduler.now
        (record,) = get_records(self.model, get_shard_iterator(self.model, NAME, shard_id, start, now), now, 1).records
        contents = read(record.partition_key, record.data)
        return number, max(sub, contents.lines[-1].place) if contents.is_block else sub

    def children_of(self, shard_id: str) -> list[tuple[str, tuple[str, ...]]]:
        """(shard id, its parents) of the shards that follow."""
        return [(shard.shard_id, shard.parents) for shard in self.shards() if shard_id in shard.parents]


class Batch(NamedTuple):
    records: Sequence[Record]
    behind_ms: int
    ended: bool


class Reader:
    """KCL's place in one shard: it starts at the checkpoint's record and skips what the checkpoint covers."""

    def __init__(self, stream: Stream, shard_id: str, sequence_number: str, sub: int) -> None:
        self.shard_id = shard_id
        self.iterator: str | None = None
        self.filtered_from: int | None = None
        self._range = stream.range_of(shard_id)
        self._covered = (int(sequence_number), sub) if sequence_number.isdecimal() else (-1, 0)
        self.start = (
            StartingPosition("AT_SEQUENCE_NUMBER", sequence_number)
            if sequence_number.isdecimal()
            else StartingPosition("TRIM_HORIZON")
        )

    def deaggregate(self, raw: ReadRecord, filtered: bool) -> list[Record]:
        members = delivered(raw.partition_key, raw.data, self._range, filtered=filtered)
        number = int(raw.sequence_number)
        return [
            Record(member.data, member.partition_key, raw.sequence_number, sub, raw.arrival_ms)
            for sub, member in enumerate(members)
            if (number, sub) > self._covered
        ]
