"""Whatever is done to a stream, its shard graph stays whole.

Random lives of a stream: puts, splits, merges, scaling, time going by. After every step the open shards cover the hash key
space exactly once; in the end every record is found by walking from the first shards to their descendants, in order.
"""

from __future__ import annotations

from hashlib import md5

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from clickstream.infra.local.kinesis.model.errors import InvalidArgumentException
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.records import PutEntry, StartingPosition
from clickstream.infra.local.kinesis.model.shards import Shard
from clickstream.infra.local.kinesis.operations.reading import get_records, get_shard_iterator
from clickstream.infra.local.kinesis.operations.resharding import merge_shards, split_shard, update_shard_count
from clickstream.infra.local.kinesis.operations.shard_listing import list_shards
from clickstream.infra.local.kinesis.operations.streams import create_stream
from clickstream.infra.local.kinesis.operations.writing import put_records

SPACE = 2**128
START_MS = 1_795_521_600_000
USERS = st.integers(0, 30).map(lambda number: f"user-{number}")


def first_key(shard: Shard) -> int:
    return int.from_bytes(shard.start, "big")


def last_key(shard: Shard) -> int:
    return int.from_bytes(shard.end, "big")


class StreamLife(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.kinesis = Kinesis()
        self.now = START_MS
        self.put_order: dict[str, list[str]] = {}
        """What was put for each user, in order."""
        self.newest: dict[str, int] = {}
        """The last sequence number of each user."""
        self.puts = 0

    @initialize(count=st.integers(1, 6))
    def create(self, count: int) -> None:
        create_stream(self.kinesis, "s", self.now, shard_count=count)

    def shards(self) -> list[Shard]:
        return list_shards(self.kinesis, "s", self.now).shards

    def open_shards(self) -> list[Shard]:
        return sorted((shard for shard in self.shards() if shard.is_open), key=first_key)

    @rule(users=st.lists(USERS, min_size=1, max_size=8))
    def put(self, users: list[str]) -> None:
        entries = []
        for user in users:
            self.puts += 1
            self.put_order.setdefault(user, []).append(str(self.puts))
            entries.append(PutEntry(user, str(self.puts).encode()))
        for user, result in zip(users, put_records(self.kinesis, "s", entries, self.now).records, strict=True):
            number = int(result.sequence_number or 0)
            # later in the same shard, or in a descendant: greater either way
            assert number > self.newest.get(user, 0)
            self.newest[user] = number
            shard = next(one for one in self.shards() if one.shard_id == result.shard_id)
            key = int(md5(user.encode()).hexdigest(), 16)
            assert first_key(shard) <= key <= last_key(shard)

    @rule(which=st.integers(0, 100), share=st.integers(1, 999))
    def split(self, which: int, share: int) -> None:
        shards = self.open_shards()
        if len(shards) >= 24:
            return
        shard = shards[which % len(shards)]
        at = first_key(shard) + (last_key(shard) - first_key(shard)) * share // 1000
        if first_key(shard) + 1 < at < last_key(shard):
            split_shard(self.kinesis, "s", shard.shard_id, str(at), self.now)

    @rule(which=st.integers(0, 100), other=st.integers(0, 100))
    def merge(self, which: int, other: int) -> None:
        shards = self.open_shards()
        one, two = shards[which % len(shards)], shards[other % len(shards)]
        touching = last_key(one) + 1 == first_key(two)
        try:
            merge_shards(self.kinesis, "s", one.shard_id, two.shard_id, self.now)
        except InvalidArgumentException:
            assert not touching
        else:
            assert touching

    @rule(count=st.integers(1, 12))
    def scale(self, count: int) -> None:
        update_shard_count(self.kinesis, "s", count, self.now)
        assert [first_key(shard) for shard in self.open_shards()] == [SPACE * number // count for number in range(count)]

    @rule(ms=st.sampled_from((0, 1, 999, 60_000)))
    def wait(self, ms: int) -> None:
        self.now += ms

    @invariant()
    def open_shards_partition_the_space(self) -> None:
        if "s" not in self.kinesis.streams:
            return
        expected = 0
        for shard in self.open_shards():
            assert first_key(shard) == expected
            assert last_key(shard) >= first_key(shard)
            expected = last_key(shard) + 1
        assert expected == SPACE

    @invariant()
    def shards_active_at_any_time_partition_the_space(self) -> None:
        if "s" not in self.kinesis.streams:
            return
        shards = self.shards()
        for moment in {shard.created_ms for shard in shards}:
            active = [one for one in shards if one.created_ms <= moment and (one.closed_ms is None or one.closed_ms > moment)]
            assert sum(last_key(shard) - first_key(shard) + 1 for shard in active) == SPACE

    @invariant()
    def children_come_after_their_parents(self) -> None:
        if "s" not in self.kinesis.streams:
            return
        shards = {shard.index: shard for shard in self.shards()}
        for shard in shards.values():
            assert bool(shard.children) == (not shard.is_open)
            assert all(shard.index in shards[child].parents for child in shard.children)
            for parent in (shards[index] for index in shard.parents):
                assert parent.index < shard.index
                assert int(parent.ending_sequence_number or 0) < int(shard.starting_sequence_number)
                assert max(first_key(parent), first_key(shard)) <= min(last_key(parent), last_key(shard))

    def teardown(self) -> None:
        if "s" not in self.kinesis.streams:
            return
        assert self.walk() == self.put_order

    def walk(self) -> dict[str, list[str]]:
        """Read as KCL does: roots first, a shard only after its parents, children from the answers alone."""
        ready = [shard.shard_id for shard in self.shards() if not shard.parents]
        parents = {shard.shard_id: {f"shardId-{parent:012d}" for parent in shard.parents} for shard in self.shards()}
        done: set[str] = set()
        found: dict[str, list[str]] = {}
        while ready:
            shard_id = ready.pop(0)
            if shard_id in done:
                continue
            if not parents[shard_id] <= done:
                ready.append(shard_id)
                continue
            done.add(shard_id)
            iterator: str | None = get_shard_iterator(self.kinesis, "s", shard_id, StartingPosition("TRIM_HORIZON"), self.now)
            while iterator is not None:
                result = get_records(self.kinesis, iterator, self.now, limit=7)
                for record in result.records:
                    found.setdefault(record.partition_key, []).append(record.data.decode())
                ready += [child.shard_id for child in result.child_shards]
                if not result.records and result.millis_behind_latest == 0:
                    break
                iterator = result.next_iterator
        return found


StreamLife.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_life_of_a_stream = StreamLife.TestCase
