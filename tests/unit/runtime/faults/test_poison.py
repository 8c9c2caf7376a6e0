"""A record that a bug of ours cannot stand: the third time it is set aside, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clickstream.application import Fold, Sink
from clickstream.consumers.runtime.loop.checkpointing import CommitPolicy
from clickstream.consumers.runtime.loop.shard_loop import ShardLoop
from clickstream.consumers.runtime.loop.wire import Record
from clickstream.consumers.runtime.loop.writing import SinkBroke
from clickstream.errors import RetryLater, Unwritable
from clickstream.events import AnyEvent, Login
from clickstream.load.simulation.applications.counting import CountingApplication, digest
from clickstream.load.simulation.aws.memory import MemoryDeadLetters, MemoryRows, MemoryStore
from clickstream.load.simulation.fleet.shard_process import Clock, RecordingCheckpointer, deliver, record, shard_loop
from clickstream.records.position import Position
from clickstream.records.routing import WHOLE_SPACE, Shard

ONLY = Shard(shard_id="shardId-0", hash_range=WHOLE_SPACE)


class Bug(Exception):
    """What our code raises."""


class BrokenFold:
    """The counting fold; an event whose id begins with ``where`` and a dash is poison there."""

    def __init__(self, fold: Fold) -> None:
        self._fold = fold
        self._poisoned = ""

    def apply(self, events: Sequence[AnyEvent]) -> None:
        for event in events:
            self._fold.apply([event])  # the state has changed by then, as it may have in a real bug
            where = event.event_id.partition("-")[0]
            if where == "apply":
                raise Bug("apply")
            if where in ("effects", "changes"):
                self._poisoned = where

    def effects(self, *, flush: bool) -> Sequence[Any]:
        self._raise("effects")
        return self._fold.effects(flush=flush)

    def changes(self) -> bytes:
        self._raise("changes")
        return self._fold.changes()

    def snapshot(self) -> bytes:
        self._raise("changes")
        return self._fold.snapshot()

    def restore(self, state: bytes, inheritance: Any) -> None:
        self._fold.restore(state, inheritance)

    def _raise(self, where: str) -> None:
        if self._poisoned == where:
            raise Bug(where)


class BrokenSink:
    def __init__(self, sink: Sink, refuse: Callable[[Any], Exception | None]) -> None:
        self._sink = sink
        self._refuse = refuse

    def write(self, effects: Sequence[Any], position: Position) -> None:
        refusals = [refusal for effect in effects if (refusal := self._refuse(effect)) is not None]
        if not refusals:
            self._sink.write(effects, position)
            return
        raise next((each for each in refusals if isinstance(each, RetryLater)), refusals[0])


class Broken(CountingApplication):
    def __init__(self, rows: MemoryRows, refuse: Callable[[Any], Exception | None] = lambda _: None) -> None:
        super().__init__(rows)
        self._refuse = refuse

    def open_fold(self, shard_id: str) -> Any:
        return BrokenFold(super().open_fold(shard_id))

    def open_sink(self, shard_id: str, clients: Any, settings: Any) -> Any:
        return BrokenSink(super().open_sink(shard_id, clients, settings), self._refuse)


class Fleet:
    """Workers one after the other over the same stores: each takes the shard when the one before has died of a bug."""

    def __init__(self, refuse: Callable[[Any], Exception | None] = lambda _: None) -> None:
        self.rows = MemoryRows()
        self.store = MemoryStore("w0")
        self.letters = MemoryDeadLetters()
        self.refuse = refuse
        self.deaths = 0
        self.clock = Clock()

    def loop(self, policy: CommitPolicy | None = None) -> ShardLoop:
        loop = shard_loop(
            Broken(self.rows, self.refuse),
            (ONLY,),
            self.store.of(f"w{self.deaths}"),
            dead_letters=self.letters,
            clock=self.clock,
            policy=policy,
        )
        loop.initialize("shardId-0", "TRIM_HORIZON", 0)
        return loop

    def read(
        self, records: Sequence[Record], cuts: Sequence[int], most_deaths: int, policy: CommitPolicy | None = None
    ) -> None:
        """Everything, from the start after each death (KCL's checkpoint lags), in batches of these sizes, over and over."""
        while True:
            try:
                loop = self.loop(policy)
                self._once(loop, records, cuts)
                return
            except (Bug, SinkBroke):
                self.deaths += 1
                assert self.deaths <= most_deaths, "the shard does not get past it"

    def _once(self, loop: ShardLoop, records: Sequence[Record], cuts: Sequence[int]) -> None:
        checkpointer, at, turn = RecordingCheckpointer(), 0, 0
        while at < len(records):
            size = cuts[turn % len(cuts)]
            deliver(loop, checkpointer, *records[at : at + size])
            at, turn = at + size, turn + 1
            self.clock.now_ms += 300
        loop.shutdown_requested(checkpointer)

    @property
    def row(self) -> tuple[int, int]:
        count, value = self.rows.rows["ann"][1]
        return count, value


def login(event_id: str, user_id: str = "ann") -> Login:
    return Login(event_id=event_id, user_id=user_id, session_id="s", occurred_at=999_999_999_000)


def tally(event_ids: Sequence[str]) -> tuple[int, int]:
    value = 0
    for event_id in event_ids:
        value = digest(value, event_id)
    return len(event_ids), value


@pytest.mark.parametrize("where", ["apply", "effects", "changes"])
def test_the_third_time_it_is_set_aside_with_its_traceback_and_the_shard_goes_on(where: str) -> None:
    fleet = Fleet()
    ids = ["a", "b", f"{where}-1", "c", "d"]
    fleet.read([record(login(each), 10 + n) for n, each in enumerate(ids)], [5], most_deaths=4)
    assert fleet.row == tally(["a", "b", "c", "d"])
    [letter] = fleet.letters.letters
    assert (letter.position, letter.event_id) == (str(Position(12)), f"{where}-1")
    assert f"Bug: {where}" in (letter.traceback or "")
    assert fleet.store.items["shardId-0"].progress.dead_letters == 1
    assert fleet.deaths >= 3, "not at the first time: it may have been something else"


@settings(max_examples=60, deadline=None)
@given(
    ids=st.lists(st.sampled_from(["ok", "ok", "ok", "apply", "effects", "changes"]), min_size=1, max_size=12),
    cuts=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    interval_ms=st.sampled_from([0, 500, 10_000]),
)
def test_whatever_is_poison_and_however_it_is_cut_the_others_count_once(
    ids: list[str], cuts: list[int], interval_ms: int
) -> None:
    named = [f"{kind}-{n}" for n, kind in enumerate(ids)]
    poison = [each for each in named if not each.startswith("ok")]
    good = [each for each in named if each.startswith("ok")]
    fleet = Fleet()
    policy = CommitPolicy(interval_ms=interval_ms, checkpoint_interval_ms=0)
    records = [record(login(each), 10 + n) for n, each in enumerate(named)]
    if len(poison) >= 10:
        return
    fleet.read(records, cuts, most_deaths=4 * len(poison), policy=policy)
    # where state cannot be encoded, effects ahead of the commit may have shown the record; the key's next event puts that right
    fleet.read([*records, record(login("last"), 100)], cuts, most_deaths=4 * len(poison))
    assert fleet.row == tally([*good, "last"])
    assert {letter.event_id for letter in fleet.letters.letters} == set(poison)


def test_a_bug_that_a_restart_heals_sets_nothing_aside() -> None:
    fleet = Fleet()
    times = iter([Bug("once"), Bug("twice")])
    fleet.refuse = lambda _: next(times, None)
    fleet.read([record(login("a"), 10), record(login("b"), 11)], [2], most_deaths=2)
    assert fleet.row == tally(["a", "b"])
    assert fleet.letters.letters == []


def test_an_effect_at_which_the_sink_breaks_three_times_is_set_aside_and_the_others_are_written() -> None:
    fleet = Fleet(lambda effect: Bug("sink") if effect[0] == "bob" else None)
    records = [record(login("a"), 10), record(login("x", "bob"), 11), record(login("b"), 12)]
    fleet.read(records, [3], most_deaths=3)
    assert fleet.row == tally(["a", "b"])
    letters = fleet.letters.letters
    assert letters
    assert all("bob" in (letter.effect or "") and "Bug: sink" in (letter.traceback or "") for letter in letters)
    assert fleet.deaths == 3


@pytest.mark.parametrize("interval_ms", [0, 10_000])
def test_an_effect_that_a_store_will_never_take_is_a_dead_letter_and_the_others_are_written(interval_ms: int) -> None:
    fleet = Fleet(lambda effect: Unwritable("DynamoDB: ValidationException: too large") if effect[0] == "bob" else None)
    policy = CommitPolicy(interval_ms=interval_ms, checkpoint_interval_ms=0)
    records = [record(login("a"), 10), record(login("x", "bob"), 11), record(login("b"), 12)]
    fleet.read(records, [3], most_deaths=0, policy=policy)
    assert fleet.row == tally(["a", "b"])
    assert fleet.store.items["shardId-0"].position == Position(12)
    assert {letter.reason for letter in fleet.letters.letters} == {"DynamoDB: ValidationException: too large"}
    assert all("bob" in (letter.effect or "") and letter.data == b"" for letter in fleet.letters.letters)


def test_a_deployment_that_can_fold_nothing_does_not_drain_the_stream() -> None:
    fleet = Fleet()
    records = [record(login(f"apply-{n}"), 10 + n) for n in range(14)]
    waits: list[str] = []

    class Ends(BaseException):
        """The test has seen enough."""

    loops: list[ShardLoop] = []

    def refused() -> None:
        waits.append(str(loops[-1].patience.current().get("action")))
        raise Ends

    make = fleet.loop

    def loop(policy: CommitPolicy | None = None) -> ShardLoop:
        made = make(policy)
        loops.append(made)
        made.patience._stop.wait = lambda *_: refused()  # type: ignore[method-assign, assignment]
        return made

    fleet.loop = loop  # type: ignore[method-assign]
    with pytest.raises(Ends):
        fleet.read(records, [14], most_deaths=40)
    assert len({letter.position for letter in fleet.letters.letters}) == 10
    assert waits == ["fold:apply"]


def test_eleven_hundred_views_of_tomorrow_are_as_many_letters_once_and_the_shard_goes_on() -> None:
    fleet = Fleet()
    tomorrow = [
        Login(event_id=f"e{n}", user_id="ann", session_id="s", occurred_at=1_000_000_000_000 + 86_400_000) for n in range(1_100)
    ]
    records = [*(record(event, 10 + n) for n, event in enumerate(tomorrow)), record(login("a"), 5_000)]
    fleet.read(records, [300], most_deaths=0)
    fleet.read(records, [300], most_deaths=0)  # a restart
    assert len(fleet.letters.letters) == 1_100
    assert fleet.row == tally(["a"])
