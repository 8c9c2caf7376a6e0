"""What is called complete holds every event that was put, whatever order events come in, however shards lag, crash and split.

The world below puts events with arbitrary times into shards, reads them as KCL's daemon does (ahead, over a network that takes
its time), folds them in real shard loops and looks at the stores at any moment. Its judge counts with code of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from logging import CRITICAL
from random import Random
from typing import Any, NamedTuple

import msgspec
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from clickstream import events
from clickstream.application import Fold, Sink
from clickstream.consumers.analytics.aggregate_rows import Row, decode
from clickstream.consumers.analytics.fold import AnalyticsFold
from clickstream.consumers.runtime.loop.checkpointing import CommitPolicy
from clickstream.consumers.runtime.loop.shard_loop import ShardLoop
from clickstream.consumers.runtime.loop.wire import ProcessRecords, Record
from clickstream.events import ProductView
from clickstream.load.simulation.aws.memory import MemoryDeadLetters, MemoryStore
from clickstream.load.simulation.fleet.shard_process import Held, MemorySurroundings, RecordingCheckpointer
from clickstream.progress.completeness import GENERATION_MS, GENERATIONS, Completeness, completeness, least
from clickstream.records.position import Position
from clickstream.records.routing import MAX_HASH_KEY, HashRange, Shard, hash_key

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
#: A little after midnight: a day that has just ended is looked at, too.
START = 1_795_564_800_000 + 5 * MINUTE
MIDDLE = MAX_HASH_KEY // 2
READ_AHEAD = 4


def shard(number: int, start: int, end: int, *parents: str) -> Shard:
    return Shard(shard_id=f"shard-{number}", hash_range=HashRange.of(start, end), parents=parents)


FIRST, SECOND = shard(0, 0, MIDDLE), shard(1, MIDDLE + 1, MAX_HASH_KEY)
CHILDREN = (shard(2, 0, MIDDLE // 2, "shard-0"), shard(3, MIDDLE // 2 + 1, MIDDLE, "shard-0"))
SHARDS = (FIRST, SECOND, *CHILDREN)


@pytest.fixture(autouse=True, scope="module")
def quiet_log() -> Iterator[None]:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(CRITICAL))
    yield
    structlog.configure(**before)


class Put(NamedTuple):
    occurred: int
    arrived: int


class Rows:
    """The application's table: rows in memory, written only over older positions."""

    name = "analytics"

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], tuple[Position, Row]] = {}

    def open_fold(self, shard_id: str) -> Fold:
        return AnalyticsFold(shard_id)

    def open_sink(self, shard_id: str, clients: Any, settings: Any) -> Sink:
        return self

    def write(self, effects: Sequence[Row], position: Position) -> None:
        for row in effects:
            key = row.window, row.part
            if key not in self.rows or self.rows[key][0] < position:
                self.rows[key] = position, row

    def of(self, shard_id: str, width: str) -> int:
        """Events in one shard's rows."""
        mine = (row for (window, part), (_, row) in self.rows.items() if window.startswith(width) and shard_id in part)
        return sum(sum(decode(row.content).events.values()) for row in mine)

    def counted(self, width: str) -> Counter[int]:
        found: Counter[int] = Counter()
        for (window, part), (_, row) in self.rows.items():
            if window.startswith(width):
                found[int(part.partition("#")[0])] += sum(decode(row.content).events.values())
        return found


class Worker:
    """A shard's log, KCL's daemon in front of it, and the shard loop that it feeds."""

    def __init__(self, world: World, of: Shard) -> None:
        self.world, self.of = world, of
        self.log: list[Record] = []
        self.closed = self.ended = False
        self.start()

    def start(self) -> None:
        """Also after a crash: KCL delivers again from its checkpoint, which lags the commit."""
        self.loop: ShardLoop | None = None
        self.read = 0
        self.asked: ProcessRecords | None = None
        self.queue: list[ProcessRecords] = []
        self.checkpointer = RecordingCheckpointer()

    def ask(self, most: int) -> None:
        """The daemon reads: what Kinesis has now, of which we hear later."""
        at_the_end = self.closed and self.read == len(self.log)
        if self.asked is None and len(self.queue) < READ_AHEAD and not at_the_end and self.world.may_start(self.of):
            batch = self.log[self.read : self.read + most]
            self.read += len(batch)
            left = self.log[self.read :]
            self.asked = ProcessRecords(batch, self.world.now - left[0].approximate_arrival_timestamp if left else 0)

    def answer(self) -> None:
        if self.asked is not None:
            self.queue.append(self.asked)
            self.asked = None

    def deliver(self) -> None:
        if self.queue:
            self._loop().process_records(self.queue.pop(0), self.checkpointer, lambda: None)
        elif self.asked is None and self.closed and not self.ended and self.read == len(self.log):
            self._loop().shard_ended(self.checkpointer)
            self.ended = True

    def idle(self) -> None:
        if self.loop is not None and not self.queue and not self.ended:
            self.loop.idle()

    def _loop(self) -> ShardLoop:
        if self.loop is None:
            self.loop = self.world.loop(self.of)
        return self.loop


class World:
    def __init__(self, policy: CommitPolicy) -> None:
        self.now = START
        self.step = 0
        """What the machine's wall clock is off by; Kinesis and monotonic clocks know nothing of it."""
        self.put_events: list[Put] = []
        self.table = Rows()
        self.store = MemoryStore("worker")
        self._policy = policy
        self.workers = {of.shard_id: Worker(self, of) for of in (FIRST, SECOND)}
        self._told: dict[str, tuple[int, int]] = {}

    def loop(self, of: Shard) -> ShardLoop:
        made = ShardLoop(
            self.table,
            MemorySurroundings(self.table, SHARDS, self.store, MemoryDeadLetters()),
            policy=self._policy,
            clock_ms=lambda: self.now + self.step,
            monotonic_s=lambda: (self.now - START) / 1000,
            servers_clock=lambda: (self.now // 1000 * 1000, (self.now - START) / 1000),
            executor=Held(),
        )
        made.initialize(of.shard_id, "TRIM_HORIZON", 0)
        return made

    def may_start(self, of: Shard) -> bool:
        return all(self.workers[parent].ended for parent in of.parents)

    def split(self) -> None:
        if not self.workers["shard-0"].closed:
            self.workers["shard-0"].closed = True
            self.workers |= {of.shard_id: Worker(self, of) for of in CHILDREN}

    def put(self, user: int, age_ms: int) -> None:
        number = len(self.put_events)
        event = ProductView(
            event_id=f"e{number}", user_id=f"u{user}", session_id="s", occurred_at=self.now - age_ms, product_id="p"
        )
        home = next(
            worker for worker in self.workers.values() if not worker.closed and hash_key(event.user_id) in worker.of.hash_range
        )
        home.log.append(Record(events.encode(event), event.user_id, str(number + 1), 0, self.now))
        self.put_events.append(Put(event.occurred_at, self.now))

    def look(self) -> Completeness:
        """Raises AssertionError when what is told is not the truth of all that was put."""
        for shard_id, item in self.store.items.items():
            told = item.arrival.arrived_to, item.arrival.whole_to
            assert told >= self._told.get(shard_id, (0, 0)), "a shard took back what it has told"
            assert told[1] <= told[0] <= self.now
            self._told[shard_id] = told
            log = self.workers[shard_id].log
            for width, to in (("minute", told[0]), ("hour", told[1])):
                before = sum(record.approximate_arrival_timestamp < to for record in log)
                assert before <= self.table.of(shard_id, width), f"{width}s of {shard_id} lack what arrived before {to}"
        ranges = {of.shard_id: f"{of.hash_range.start.hex()}-{of.hash_range.end.hex()}" for of in SHARDS}
        seen = completeness(
            msgspec.structs.replace(item.arrival, hash_range=ranges[name]) for name, item in self.store.items.items()
        )
        self.judge({"minute": seen.minutes_to, "hour": seen.complete_to, "day": seen.complete_to}, seen.lateness_ms)
        return seen

    def judge(self, complete_to: dict[str, int | None], lateness_ms: int) -> None:
        for name, width in (("minute", MINUTE), ("hour", HOUR), ("day", DAY)):
            bound = complete_to[name]
            if bound is None:
                continue
            found: Counter[int] = Counter()
            for start, count in self.table.counted("minute" if name == "minute" else "hour").items():
                found[start // width * width] += count
            must: Counter[int] = Counter()
            may: Counter[int] = Counter()
            for put in self.put_events:
                window = put.occurred // width * width
                if window + width <= bound:
                    may[window] += 1
                    must[window] += put.arrived - put.occurred <= lateness_ms
            wrong = {window: found[window] for window in may if not must[window] <= found[window] <= may[window]}
            assert not wrong, f"{name}s called complete to {bound} lack events: {wrong} of {must}"

    def drain(self) -> None:
        """Everything is read and folded, and the shards have been quiet for a while."""
        for _ in range(80):
            self.now += 400
            for worker in list(self.workers.values()):
                worker.idle()
                worker.ask(1_000)
                worker.answer()
                worker.deliver()
                while worker.queue:
                    worker.deliver()


#: What a world's events are like: how old they are at most when they are put.
OLDEST = (0, 2_000, MINUTE, 40 * MINUTE, 3 * HOUR, 2 * DAY)


def step(world: World, random: Random, oldest: int) -> None:
    """Anything may happen next, whatever happened before."""
    worker = random.choice(list(world.workers.values()))
    match random.choices(("put", "run", "daemon", "tick", "crash", "clock", "split"), (20, 20, 50, 15, 1, 0.3, 0.5))[0]:
        case "put":
            for _ in range(random.randrange(1, 8)):
                world.put(
                    random.randrange(30), int(oldest * random.random() ** random.choice((1, 4))) - random.choice((0, 500))
                )
                world.now += random.choice((0, 0, 1, 90))
        case "run":  # the daemon's whole round, on all shards, as while they are caught up
            for each in world.workers.values():
                each.idle()
                each.ask(1_000)
                each.answer()
                each.deliver()
                world.now += 100
        case "daemon" if world.may_start(worker.of):
            for _ in range(random.randrange(1, 4)):
                random.choice((worker.idle, worker.answer, worker.deliver, lambda: worker.ask(random.choice((1, 5, 1_000)))))()
                world.now += random.choice((1, 50, 400))
        case "tick":
            world.now += random.choice((10, 400, 3_000, 20_000))
        case "crash" if not worker.ended:
            worker.start()
        case "clock":
            world.step = random.choice((-HOUR, 0, HOUR))
        case "split":
            world.split()


@given(st.integers(0, 2**32))
@settings(max_examples=120, deadline=None)
def test_what_is_called_complete_is_the_truth_of_all_that_was_put(seed: int) -> None:
    random = Random(seed)
    world = World(
        CommitPolicy(
            effects_interval_ms=random.choice((0, 200, 10_000)),
            interval_ms=random.choice((0, 1_000, 20_000)),
            heartbeat_ms=random.choice((0, 1_000)),
            checkpoint_interval_ms=0,
        )
    )
    oldest = random.choice(OLDEST)
    steps = random.randrange(10, 250)
    for _ in range(steps):
        step(world, random, oldest)
        if random.random() < 0.4:
            world.look()
    world.drain()
    seen = world.look()
    # the share that the quantile admits is what it says, counted anew
    late = sum(put.arrived - put.occurred > seen.lateness_ms for put in world.put_events)
    assert seen.late_share == (late / len(world.put_events) if world.put_events else 0)
    assert seen.late_share <= 0.001
    assert seen.complete_to is not None
    assert world.now - 5_000 < seen.complete_to + seen.lateness_ms <= world.now


def by_visitor(world: World, look: Callable[[], object]) -> None:
    """Two days of forty visitors, one visitor after the other, put at once and read in small batches."""
    for user in range(40):
        for number in range(60):
            world.put(user, 2 * DAY - number * 48 * MINUTE - user * 7_000)
        world.now += 20
    for _ in range(400):
        for worker in world.workers.values():
            for step in (worker.idle, lambda worker=worker: worker.ask(25), worker.answer, worker.deliver):
                step()
        world.now += 200
        look()


def test_events_sorted_by_visitor_are_not_called_complete_before_they_are_there() -> None:
    world = World(CommitPolicy())
    by_visitor(world, world.look)
    seen = world.look()
    assert seen.lateness_ms >= 2 * DAY - 40 * 7_000
    assert seen.late_share == 0


def test_the_watermark_would_have_said_so_and_been_wrong() -> None:
    """The judge can fail: it refutes what was told before completeness was a statement about arrival."""

    def watermarks() -> None:
        limits, latest = [], 0
        for item in world.store.items.values():
            own = item.progress.watermark_ms
            latest = max(latest, own)
            limits.append(own if item.behind_ms else max(own, item.updated_at))
        world.judge(dict.fromkeys(("minute", "hour", "day"), min([latest, *limits])), 2 * DAY)

    world = World(CommitPolicy())
    with pytest.raises(AssertionError, match="lack events"):
        by_visitor(world, watermarks)


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15), st.integers(0, 9)), max_size=12))
def test_the_least_time_is_taken_key_by_key(told: list[tuple[int, int, int]]) -> None:
    sixteenth = (MAX_HASH_KEY + 1) // 16
    ranges = [(min(pair), max(pair), time) for *pair, time in told]
    times = [max((time for low, high, time in ranges if low <= key <= high), default=0) for key in range(16)]
    expected = min(times) or None
    asked = [(f"{low * sixteenth:032x}-{(high + 1) * sixteenth - 1:032x}", time) for low, high, time in ranges]
    assert least(asked) == expected


def test_a_backfill_is_forgotten_after_a_while() -> None:
    world = World(CommitPolicy())
    world.put(1, 365 * DAY)
    world.drain()
    assert world.look().lateness_ms >= 365 * DAY
    world.now += GENERATIONS * GENERATION_MS
    world.put(1, 10)
    world.drain()
    assert world.look().lateness_ms < 2_000
