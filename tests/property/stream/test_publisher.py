"""The publisher against a stream that is resharded, throttles, loses calls and answers late, read as KCL and our loop read it.

The stream and the reader below share no code with what they judge: hash keys are integers here, aggregates are taken apart by
aws-kinesis-agg, blocks by zlib and by zstandard's stream reader, and an event names its user itself.
"""

from __future__ import annotations

import base64
import sys
import zlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import md5
from math import inf
from random import Random

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from clickstream.errors import RetryLater, Throttled
from clickstream.producers.publisher.limits import Limits
from clickstream.producers.publisher.packing import Records
from clickstream.producers.publisher.puts import (
    Action,
    CallFailed,
    Delivered,
    Failed,
    Placed,
    Put,
    PutResult,
    RefreshShardMap,
    Refused,
    Settled,
)
from clickstream.producers.publisher.rules import Publisher
from clickstream.records.routing import HashRange, Shard

SPACE = 2**128
Members = list[tuple[str, bytes]]
"""(user, event) of one Kinesis record"""
Apart = Callable[[bytes, str], Members]
KPL = b"\xf3\x89\x9a\xc2"


@pytest.fixture(scope="module")
def apart() -> Apart:
    """The reader of records; what the import of aws-kinesis-agg leaves behind is undone."""
    path = sys.path[:]
    from aws_kinesis_agg.deaggregator import iter_deaggregate_records

    sys.path[:] = path

    def deaggregated(data: bytes, key: str) -> Members:
        record = {"SequenceNumber": "1", "PartitionKey": key, "Data": data, "ApproximateArrivalTimestamp": 0}
        return [
            (each["kinesis"]["partitionKey"], base64.b64decode(each["kinesis"]["data"]))
            for each in iter_deaggregate_records([record], data_format="Boto3")
        ]

    def members(data: bytes, key: str) -> Members:
        if data.startswith(KPL):
            return deaggregated(data, key)
        text = inflated(data)
        if not text.endswith(b"\n"):
            return [(key, text)]
        return [(line.split(b":")[1].decode(), line) for line in text[:-1].split(b"\n")]

    return members


def inflated(data: bytes) -> bytes:
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        with zstandard.ZstdDecompressor().stream_reader(data) as reader:
            return reader.read()
    return zlib.decompress(data, 31) if data.startswith(b"\x1f\x8b") else data


def number(key: str) -> int:
    return int.from_bytes(md5(key.encode()).digest(), "big")


@dataclass
class StreamShard:
    id: str
    start: int
    end: int
    parents: tuple[str, ...] = ()
    is_open: bool = True
    log: list[tuple[str, bytes]] = field(default_factory=list)


class Stream:
    """Kinesis as far as a publisher sees it."""

    def __init__(self, count: int) -> None:
        self.shards: list[StreamShard] = []
        for index in range(count):
            self._grow(SPACE * index // count, SPACE * (index + 1) // count - 1)

    def _grow(self, start: int, end: int, *parents: StreamShard) -> None:
        for parent in parents:
            parent.is_open = False
        name = f"shardId-{len(self.shards):012d}"
        self.shards.append(StreamShard(name, start, end, tuple(parent.id for parent in parents)))

    def split(self, which: int, at: float) -> None:
        shards = self.open()
        shard = shards[which % len(shards)]
        middle = shard.start + max(1, int((shard.end - shard.start) * at))
        self._grow(shard.start, middle - 1, shard)
        self._grow(middle, shard.end, shard)

    def merge(self, which: int) -> None:
        shards = self.open()
        if len(shards) > 1:
            left, right = shards[which % (len(shards) - 1) :][:2]
            self._grow(left.start, right.end, left, right)

    def open(self) -> list[StreamShard]:
        return sorted((shard for shard in self.shards if shard.is_open), key=lambda shard: shard.start)

    def append(self, partition_key: str, explicit_hash_key: str | None, data: bytes) -> Placed:
        hash_key = number(partition_key) if explicit_hash_key is None else int(explicit_hash_key)
        (shard,) = [shard for shard in self.open() if shard.start <= hash_key <= shard.end]
        shard.log.append((partition_key, data))
        return Placed(shard.id, str(len(shard.log)))

    def listed(self) -> list[Shard]:
        return [
            Shard(
                shard_id=shard.id,
                hash_range=HashRange.of(shard.start, shard.end),
                parents=shard.parents,
                is_open=shard.is_open,
            )
            for shard in self.shards
        ]


def read(stream: Stream, apart: Apart, drops: Callable[[], bool]) -> dict[str, list[bytes]]:
    """Each user's events as our consumers fold them: KCL, then the shard loop's own check, then duplicates away.

    ``drops`` says for each aggregate whether KCL's range filter is on: it then drops one with a foreign event whole; while it
    is off (fresh children), and of a block always, it delivers all, and the shard loop refuses what is foreign. Shards are read
    in order of their making, so parents before children.
    """
    folded: dict[str, list[bytes]] = defaultdict(list)
    seen: set[bytes] = set()
    for shard in stream.shards:
        for partition_key, data in shard.log:
            members = apart(data, partition_key)
            at_home = [shard.start <= number(key) <= shard.end for key, _ in members]
            if data.startswith(KPL) and drops() and not all(at_home):
                continue
            for (key, event), home in zip(members, at_home, strict=True):
                if home and event not in seen:
                    seen.add(event)
                    folded[key].append(event)
    return folded


class Run:
    """The publisher, the stream, the calls under way, and a clock."""

    def __init__(self, shards: int, limits: Limits) -> None:
        self.now = 0.0
        self.limits = limits
        self.stream = Stream(shards)
        self.publisher = Publisher(self.stream.listed(), limits, seed=1)
        self.under_way: list[tuple[Action, PutResult | list[Shard] | None]] = []
        self.added: dict[str, list[bytes]] = defaultdict(list)
        self.settled: list[Settled] = []
        self.puts: list[Put] = []
        self.count = 0

    def add(self, user: int, size: int, filling: bytes = b".") -> None:
        self.count += 1
        key = f"üser-{user}"
        event = b"%d:%b:" % (self.count, key.encode()) + filling * size + b"|"
        if self.publisher.add(key, event, self.now, token=event):
            self.added[key].append(event)

    def turn(self) -> None:
        if self.publisher.wake_at <= self.now:
            for action in self.publisher.due(self.now):
                self.under_way.append((action, None))
                if isinstance(action, Put):
                    self.puts.append(action)
        self.settled += self.publisher.settled()

    def apply(self, which: int, outcome: int) -> None:
        """The call reaches Kinesis; its answer is still on the way."""
        if self.under_way:
            index = which % len(self.under_way)
            action, answer = self.under_way[index]
            if answer is None:
                self.under_way[index] = action, self._answer(action, outcome)

    def _answer(self, action: Action, outcome: int) -> PutResult | list[Shard]:
        if isinstance(action, RefreshShardMap):
            return self.stream.listed()
        if outcome == 1:
            return CallFailed(Throttled("slower"))
        random = Random(outcome)
        return [
            Refused(Throttled("busy"))
            if outcome >= 3 and random.random() < 0.5
            else self.stream.append(parcel.partition_key, parcel.explicit_hash_key, parcel.data)
            for parcel in action.parcels
        ]

    def answer(self, which: int, outcome: int) -> None:
        """The answer arrives; outcome 2 loses it."""
        if not self.under_way:
            return
        self.apply(which, outcome)
        action, answer = self.under_way.pop(which % len(self.under_way))
        if isinstance(action, RefreshShardMap):
            assert isinstance(answer, list)
            if outcome == 2:
                self.publisher.on_shard_map_failed(self.now)
            else:
                self.publisher.on_shard_map([shard for shard in answer if isinstance(shard, Shard)], self.now)
        else:
            lost = CallFailed(RetryLater("no answer"))
            result = lost if outcome == 2 else answer
            assert isinstance(result, CallFailed) or result is not None
            self.publisher.on_result(action, result, self.now)  # type: ignore[arg-type]  # a Put's answer is no list of shards

    def finish(self) -> None:
        """No more faults: everything must be settled, in a bounded number of turns."""
        for _ in range(10_000):
            self.turn()
            if self.under_way:
                self.answer(0, 0)
            elif self.publisher.wake_at < inf:
                self.now = max(self.now, self.publisher.wake_at)
            else:
                break
        self.settled += self.publisher.settled()
        assert self.publisher.pending == 0
        assert self.publisher.pending_bytes == 0


outcomes = st.integers(0, 8)
steps = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 9), st.integers(0, 120)),
    st.tuples(st.just("add"), st.integers(0, 9), st.just(700)),
    st.tuples(st.just("add"), st.integers(0, 9), st.integers(1, 3), st.just(b"\n")),
    st.tuples(st.just("wait"), st.floats(0, 0.3)),
    st.tuples(st.just("apply"), st.integers(0, 3), outcomes),
    st.tuples(st.just("answer"), st.integers(0, 3), outcomes),
    st.tuples(st.just("split"), st.integers(0, 7), st.floats(0.1, 0.9)),
    st.tuples(st.just("merge"), st.integers(0, 7)),
)
scripts = st.lists(steps, min_size=30, max_size=120)


def play(run: Run, script: list[tuple[object, ...]]) -> None:
    for name, *arguments in script:
        if name == "wait":
            run.now += arguments[0]  # type: ignore[operator]  # a float, by the strategy
        elif name in ("split", "merge"):
            getattr(run.stream, str(name))(*arguments)
        else:
            getattr(run, str(name))(*arguments)
        run.turn()
    run.finish()


kinds: st.SearchStrategy[Records] = st.sampled_from(("zstd", "gzip", "ndjson", "kpl", "single"))


def small(records: Records, time_to_live: float = 1e9) -> Limits:
    return Limits(
        records=records,
        pack_bytes=512,
        pack_lines=8,
        record_bytes=4096,
        put_bytes=8192,
        put_records=3,
        time_to_live=time_to_live,
    )


@settings(deadline=None, max_examples=500)
@given(st.integers(1, 4), kinds, scripts, st.randoms(use_true_random=False))
def test_no_event_is_lost_and_each_users_order_holds(
    apart: Apart, shards: int, records: Records, script: list[tuple[object, ...]], random: Random
) -> None:
    run = Run(shards, small(records))
    play(run, script)
    for drops in (lambda: True, lambda: False, lambda: random.random() < 0.5):
        assert read(run.stream, apart, drops) == run.added
    assert sorted(each.token for each in run.settled if isinstance(each, Delivered)) == sorted(  # type: ignore[type-var]
        event for events in run.added.values() for event in events
    )
    assert not any(isinstance(each, Failed) for each in run.settled)


@settings(deadline=None, max_examples=300)
@given(st.integers(1, 4), kinds, scripts)
def test_what_is_delivered_lies_in_the_shard_of_its_user(
    apart: Apart, shards: int, records: Records, script: list[tuple[object, ...]]
) -> None:
    run = Run(shards, small(records))
    play(run, script)
    by_id = {shard.id: shard for shard in run.stream.shards}
    for each in run.settled:
        assert isinstance(each, Delivered)
        shard = by_id[each.shard_id]
        partition_key, data = shard.log[int(each.sequence_number) - 1]
        ((user, _),) = [member for member in apart(data, partition_key) if member[1] == each.token]
        assert shard.start <= number(user) <= shard.end


@settings(deadline=None, max_examples=300)
@given(st.integers(1, 4), kinds, scripts)
def test_every_put_keeps_to_the_limits(apart: Apart, shards: int, records: Records, script: list[tuple[object, ...]]) -> None:
    run = Run(shards, small(records))
    play(run, script)
    ranges = {shard.id: range(shard.start, shard.end + 1) for shard in run.stream.shards}
    for put in run.puts:
        assert len(put.parcels) <= run.limits.put_records
        sizes = [len(parcel.data) + len(parcel.partition_key.encode()) for parcel in put.parcels]
        assert sum(sizes) <= run.limits.put_bytes
        keys: list[str] = []
        for parcel in put.parcels:
            members = apart(parcel.data, parcel.partition_key)
            assert all(number(key) in ranges[parcel.shard_id] for key, _ in members)
            if len(members) > 1:
                assert records != "single"
                assert max(len(parcel.data), len(inflated(parcel.data))) <= 512
                assert len(members) <= 8 or records == "kpl"
            keys += {key for key, _ in members}
            hash_key = number(parcel.partition_key) if parcel.explicit_hash_key is None else int(parcel.explicit_hash_key)
            assert hash_key in ranges[parcel.shard_id]
        assert len(keys) == len(set(keys)), "two records of one user in one call may change places"


@settings(deadline=None, max_examples=300)
@given(st.integers(1, 3), kinds, st.floats(0.05, 1.0), scripts)
def test_every_event_is_settled_once_even_when_it_expires(
    apart: Apart, shards: int, records: Records, time_to_live: float, script: list[tuple[object, ...]]
) -> None:
    run = Run(shards, small(records, time_to_live))
    play(run, script)
    added = [event for events in run.added.values() for event in events]
    assert sorted(each.token for each in run.settled) == sorted(added)  # type: ignore[type-var]  # the tokens are bytes
    counters = run.publisher.counters
    assert (counters.delivered + counters.failed, counters.events) == (len(added), len(added))
    folded = read(run.stream, apart, lambda: True)
    delivered = {each.token for each in run.settled if isinstance(each, Delivered)}
    for user, events in run.added.items():
        kept = [event for event in folded[user] if event in delivered]
        assert kept == [event for event in events if event in delivered]
