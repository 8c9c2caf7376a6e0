"""The publisher against a stream that is resharded, throttles, loses calls and answers late, read as KCL reads it.

The stream and the reader below share no code with what they judge: hash keys are integers here, and aggregates are taken
apart by aws-kinesis-agg.
"""

from __future__ import annotations

import base64
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import md5
from math import inf
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clickstream.errors import RetryLater, Throttled
from clickstream.records.routing import HashRange, Shard
from producers.publisher.limits import Limits
from producers.publisher.puts import (
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
from producers.publisher.rules import Publisher

SPACE = 2**128
Deaggregate = Callable[[bytes, str], list[tuple[str, bytes]]]


@pytest.fixture(scope="module")
def deaggregate() -> Deaggregate:
    """aws-kinesis-agg's reader; what its import leaves behind is undone."""
    path = sys.path[:]
    from aws_kinesis_agg.deaggregator import iter_deaggregate_records

    sys.path[:] = path

    def apart(data: bytes, key: str) -> list[tuple[str, bytes]]:
        record = {"SequenceNumber": "1", "PartitionKey": key, "Data": data, "ApproximateArrivalTimestamp": 0}
        return [
            (
                each["kinesis"]["partitionKey"],
                base64.b64decode(each["kinesis"]["data"]) if "subSequenceNumber" in each["kinesis"] else data,
            )
            for each in iter_deaggregate_records([record], data_format="Boto3")
        ]

    return apart


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


def read(stream: Stream, deaggregate: Deaggregate, drops: Callable[[], bool]) -> dict[str, list[bytes]]:
    """Each user's events as our consumers fold them: KCL, then the shard loop's own check, then duplicates away.

    ``drops`` says for each record whether KCL's range filter is on: it then drops an aggregate with a foreign event whole;
    while it is off (fresh children) it delivers all, and the shard loop refuses what is foreign. Shards are read in order of
    their making, so parents before children.
    """
    folded: dict[str, list[bytes]] = defaultdict(list)
    seen: set[bytes] = set()
    for shard in stream.shards:
        for partition_key, data in shard.log:
            members = deaggregate(data, partition_key)
            at_home = [shard.start <= number(key) <= shard.end for key, _ in members]
            if drops() and not all(at_home):
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

    def add(self, user: int, size: int) -> None:
        self.count += 1
        event = b"%d:" % self.count + b"." * size
        key = f"üser-{user}"
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
            return CallFailed(Throttled("slower"), again=True, throttled=True)
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
            lost = CallFailed(RetryLater("no answer"), again=True)
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


SMALL = {"aggregate_bytes": 512, "record_bytes": 4096, "put_bytes": 8192, "put_records": 3, "time_to_live": 1e9}


@settings(deadline=None, max_examples=300)
@given(st.integers(1, 4), st.booleans(), scripts, st.randoms(use_true_random=False))
def test_no_event_is_lost_and_each_users_order_holds(
    deaggregate: Deaggregate, shards: int, aggregate: bool, script: list[tuple[object, ...]], random: Random
) -> None:
    run = Run(shards, Limits(aggregate=aggregate, **SMALL))  # type: ignore[arg-type]  # numbers of both kinds
    play(run, script)
    for drops in (lambda: True, lambda: False, lambda: random.random() < 0.5):
        assert read(run.stream, deaggregate, drops) == run.added
    assert sorted(each.token for each in run.settled if isinstance(each, Delivered)) == sorted(  # type: ignore[type-var]
        event for events in run.added.values() for event in events
    )
    assert not any(isinstance(each, Failed) for each in run.settled)


@settings(deadline=None, max_examples=150)
@given(st.integers(1, 4), st.booleans(), scripts)
def test_every_put_keeps_to_the_limits(
    deaggregate: Deaggregate, shards: int, aggregate: bool, script: list[tuple[object, ...]]
) -> None:
    run = Run(shards, Limits(aggregate=aggregate, **SMALL))  # type: ignore[arg-type]  # numbers of both kinds
    play(run, script)
    ranges = {shard.id: range(shard.start, shard.end + 1) for shard in run.stream.shards}
    for put in run.puts:
        assert len(put.parcels) <= run.limits.put_records
        sizes = [len(parcel.data) + len(parcel.partition_key.encode()) for parcel in put.parcels]
        assert sum(sizes) <= run.limits.put_bytes
        keys: list[str] = []
        for parcel in put.parcels:
            members = deaggregate(parcel.data, parcel.partition_key)
            assert all(number(key) in ranges[parcel.shard_id] for key, _ in members)
            assert aggregate or len(members) == 1
            assert len(members) == 1 or len(parcel.data) <= run.limits.aggregate_bytes
            keys += {key for key, _ in members}
            hash_key = number(parcel.partition_key) if parcel.explicit_hash_key is None else int(parcel.explicit_hash_key)
            assert hash_key in ranges[parcel.shard_id]
        assert len(keys) == len(set(keys)), "two records of one user in one call may change places"


@settings(deadline=None, max_examples=150)
@given(st.integers(1, 3), st.booleans(), st.floats(0.05, 1.0), scripts)
def test_every_event_is_settled_once_even_when_it_expires(
    deaggregate: Deaggregate, shards: int, aggregate: bool, time_to_live: float, script: list[tuple[object, ...]]
) -> None:
    limits = Limits(aggregate=aggregate, **SMALL | {"time_to_live": time_to_live})  # type: ignore[arg-type]  # both kinds
    run = Run(shards, limits)
    play(run, script)
    added = [event for events in run.added.values() for event in events]
    assert sorted(each.token for each in run.settled) == sorted(added)  # type: ignore[type-var]  # the tokens are bytes
    counters = run.publisher.counters
    assert (counters.delivered + counters.failed, counters.events) == (len(added), len(added))
    folded = read(run.stream, deaggregate, lambda: True)
    delivered = {each.token for each in run.settled if isinstance(each, Delivered)}
    for user, events in run.added.items():
        kept = [event for event in folded[user] if event in delivered]
        assert kept == [event for event in events if event in delivered]
