"""Deliberate bugs: the proof that the simulator can fail. Each replaces a little of the real code by a plausible mistake.

These are the classics of stream processing; found_bugs.py adds those that the simulator has found in our own code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import msgspec

from clickstream.application import Held, Inheritance
from clickstream.consumers.runtime.loop.commits import Commits, Landed
from clickstream.consumers.runtime.loop.decoding import Home
from clickstream.consumers.runtime.loop.duplicates import SeenEvents
from clickstream.consumers.runtime.loop.folding import Folding
from clickstream.consumers.runtime.loop.kcl_checkpoint import KclCheckpoint
from clickstream.consumers.runtime.loop.opening import Opened
from clickstream.consumers.runtime.loop.owned_lease import OwnedLease
from clickstream.consumers.runtime.loop.shard_loop import ShardLoop
from clickstream.consumers.runtime.loop.wire import Checkpointer
from clickstream.consumers.runtime.progress.arrivals import Arrivals
from clickstream.consumers.runtime.state.parents import Parents
from clickstream.consumers.runtime.state.shard_state import ShardState, StoredState
from clickstream.consumers.runtime.state.snapshots import Commit
from clickstream.load.simulation.aws.stores import DynamoDb
from clickstream.producers.publisher.lane import Lane
from clickstream.producers.publisher.puts import CallFailed, Parcel, Placed, Put, Refused
from clickstream.producers.publisher.rules import Publisher
from clickstream.progress.completeness import Arrival
from clickstream.records.position import Position
from clickstream.records.routing import WHOLE_SPACE

Replacement = tuple[type | ModuleType, str, Any]
Bug = Callable[[], list[Replacement]]
BUGS: dict[str, Bug] = {}


def bug(make: Bug) -> Bug:
    """Registers a deliberate bug under its function's name; its docstring says what is wrong."""
    BUGS[make.__name__] = make
    return make


@contextmanager
def planted(name: str) -> Iterator[None]:
    """The real code with one bug in it."""
    replacements = BUGS[name]()
    originals = [(owner, attribute, owner.__dict__[attribute]) for owner, attribute, _ in replacements]
    try:
        for owner, attribute, replacement in replacements:
            setattr(owner, attribute, replacement)
        yield
    finally:
        for owner, attribute, original in originals:
            setattr(owner, attribute, original)


# the order of effect, commit and checkpoint


@bug
def checkpoint_before_commit() -> list[Replacement]:
    """The checkpoint names what was delivered, not what is durable."""

    def wrong(self: KclCheckpoint, last: Opened) -> None:
        self._whole = last.for_kcl

    return [(KclCheckpoint, "folded", wrong)]


@bug
def commit_before_effects() -> list[Replacement]:
    """A crash between the two loses the effects: the position has passed them."""

    def wrong(self: Commits, commit: Commit, effects: Sequence[Any], now_ms: int) -> Commit:
        self._patience.call(lambda: self._store.commit(self._lease, commit, now_ms))
        if effects:
            self._writing.write(effects, commit.position)
        return commit

    return [(Commits, "_run", wrong)]


@bug
def end_checkpointed_before_committed() -> list[Replacement]:
    """SHARD_END lets the children start, from a state that is not there yet."""
    ended = ShardLoop.shard_ended

    def wrong(self: ShardLoop, checkpointer: Checkpointer) -> None:
        checkpointer.checkpoint(None, None)
        ended(self, checkpointer)

    return [(ShardLoop, "shard_ended", wrong)]


@bug
def dead_letter_after_the_commit() -> list[Replacement]:
    """A crash after the commit leaves a rejected record nowhere."""
    send, landed = Folding._send, OwnedLease._landed
    kept: dict[Folding, list[Any]] = {}

    def wrong_send(self: Folding, rejections: Sequence[Any]) -> None:
        kept.setdefault(self, []).extend(rejections)

    def wrong_landed(self: OwnedLease, written: Landed) -> None:
        landed(self, written)
        if isinstance(written, Commit):
            send(self.folding, kept.pop(self.folding, []))

    return [(Folding, "_send", wrong_send), (OwnedLease, "_landed", wrong_landed)]


# conditions


def _update_with(condition: Callable[[str], str | None]) -> Any:
    """``update_item`` that puts another condition in the place of each."""
    update = DynamoDb.update_item

    def wrong(self: DynamoDb, **request: Any) -> Mapping[str, Any]:
        if "ConditionExpression" in request:
            request["ConditionExpression"] = condition(request["ConditionExpression"])
        return update(self, **request)

    return wrong


@bug
def unconditional_commit() -> list[Replacement]:
    """A zombie's commit replaces the owner's."""
    return [(DynamoDb, "update_item", _update_with(lambda _: None))]


@bug
def epoch_not_checked() -> list[Replacement]:
    """A zombie commits as long as its position is greater."""
    always = "attribute_not_exists(nothing)"
    return [(DynamoDb, "update_item", _update_with(lambda condition: condition.replace("epoch = :epoch", always)))]


@bug
def unconditional_row() -> list[Replacement]:
    """A zombie's older row replaces a newer one."""
    put = DynamoDb.put_item

    def wrong(self: DynamoDb, **request: Any) -> None:
        request.pop("ConditionExpression", None)
        put(self, **request)

    return [(DynamoDb, "put_item", wrong)]


# state


@bug
def state_not_restored() -> list[Replacement]:
    """A restart continues at the position, without the state that belongs to it."""

    def wrong(self: ShardState, chain: Sequence[bytes], position: Position) -> None:
        self.position = position

    return [(ShardState, "restore", wrong)]


@bug
def duplicates_not_in_the_snapshot() -> list[Replacement]:
    """After a restart a producer's retry counts again."""
    changes, everything = SeenEvents.changes, SeenEvents.everything

    def wrong_changes(self: SeenEvents) -> list[Any]:
        changes(self)
        return []

    def wrong_everything(self: SeenEvents) -> list[Any]:
        everything(self)
        return []

    return [(SeenEvents, "changes", wrong_changes), (SeenEvents, "everything", wrong_everything)]


@bug
def duplicates_not_looked_for() -> list[Replacement]:
    """Every retry counts."""

    def wrong(self: SeenEvents, events: Sequence[Any], arrived_ms: Sequence[int]) -> Sequence[Any]:
        return events

    return [(SeenEvents, "only_new", wrong)]


@bug
def child_ignores_its_parents() -> list[Replacement]:
    """After a reshard every user starts from an empty state."""

    def wrong(self: ShardLoop, state: ShardState, parent: str) -> None:
        return None

    return [(ShardLoop, "_inherit", wrong)]


@bug
def child_takes_all_of_its_parents_keys() -> list[Replacement]:
    """After a split both children have every user, and a merge has them twice."""

    def wrong(self: ShardState, chain: Sequence[bytes]) -> None:
        for link in chain:
            stored = msgspec.msgpack.decode(link, type=StoredState)
            self._seen.restore(stored.seen, keys=None)
            self.fold.restore(stored.fold, Inheritance(WHOLE_SPACE))

    return [(ShardState, "inherit", wrong)]


@bug
def parents_forgotten_by_the_first_child() -> list[Replacement]:
    """The first child to commit deletes what its sibling still has to start from."""

    def wrong(self: Parents, parent: str) -> bool:
        self._store.forget(parent)
        return True

    return [(Parents, "_forget", wrong)]


@bug
def foreign_events_not_refused() -> list[Replacement]:
    """What KCL delivers to the wrong child counts there, and again at home."""

    def wrong(self: Home, users: list[str]) -> set[str]:
        return set()

    return [(Home, "foreign", wrong)]


# completeness


@bug
def arrived_to_by_the_machines_clock() -> list[Replacement]:
    """A shard that has caught up claims everything up to now, by a clock that was never compared with Kinesis's."""
    told = OwnedLease._told

    def wrong(self: OwnedLease) -> Arrival:
        arrival, now_ms = told(self), self._clocks.wall_ms()
        return arrival if self._arrivals.behind_ms else msgspec.structs.replace(arrival, arrived_to=now_ms, whole_to=now_ms)

    return [(OwnedLease, "_told", wrong)]


@bug
def held_back_hours_told_as_written() -> list[Replacement]:
    """Hours are complete as soon as minutes are, although their rows are written at every ninth commit."""
    given = Arrivals.given

    def wrong(self: Arrivals, lacking: Held) -> None:
        given(self, Held.NOTHING if lacking == Held.HOURS else lacking)

    return [(Arrivals, "given", wrong)]


@bug
def held_back_minutes_told_as_written() -> list[Replacement]:
    """Minutes far behind the watermark are complete with the commit, although their rows wait for a later one."""
    given = Arrivals.given

    def wrong(self: Arrivals, lacking: Held) -> None:
        given(self, min(lacking, Held.HOURS))

    return [(Arrivals, "given", wrong)]


# the publisher


@bug
def refused_record_goes_to_the_end() -> list[Replacement]:
    """A retry lets later events of its users overtake."""
    answered = Publisher._on_outcomes

    def wrong(self: Publisher, put: Put, outcomes: list[Placed | Refused], now: float) -> dict[str, None]:
        failed = answered(self, put, outcomes, now)
        for lane in self._lanes.values():
            for parcel in lane.retry:
                for member in parcel.members:
                    lane.enqueue(member)
            lane.retry = []
        return failed

    return [(Publisher, "_on_outcomes", wrong)]


@bug
def failed_record_count_ignored() -> list[Replacement]:
    """A PutRecords that succeeded in part is taken for a success."""

    def wrong(self: Publisher, put: Put, outcomes: list[Placed | Refused], now: float) -> dict[str, None]:
        for parcel in put.parcels:
            self._lanes[parcel.shard_id].answered(parcel)
            self._deliver(parcel, Placed(parcel.shard_id, "0"))
        return {}

    return [(Publisher, "_on_outcomes", wrong)]


@bug
def no_answer_taken_for_success() -> list[Replacement]:
    """A time-out is acknowledged, because Kinesis usually has the records."""

    def wrong(self: Publisher, put: Put, failure: CallFailed) -> dict[str, None]:
        for parcel in put.parcels:
            self._lanes[parcel.shard_id].answered(parcel)
            self._deliver(parcel, Placed(parcel.shard_id, "0"))
        return {}

    return [(Publisher, "_on_call_failed", wrong)]


@bug
def two_puts_of_a_shard_at_once() -> list[Replacement]:
    """The second is stored and the first is not: the events of its users change order."""
    ready_at = Lane.ready_at

    def wrong(self: Lane, flushed: int) -> float:
        in_flight, self.in_flight = self.in_flight, 0
        try:
            return ready_at(self, flushed)
        finally:
            self.in_flight = in_flight

    return [(Lane, "ready_at", wrong)]


@bug
def mixed_aggregate_not_put_again_whole() -> list[Replacement]:
    """As the KPL does it: the events that fit the shard count as delivered, but KCL drops the aggregate whole."""

    def wrong(self: Publisher, lane: Lane, parcel: Parcel, placed: Placed) -> None:
        actual = self._ranges.get(placed.shard_id)
        if actual is None:
            lane.awaiting.append((parcel, placed))
            return
        inside = tuple(member for member in parcel.members if member.hash_key in actual)
        outside = tuple(member for member in parcel.members if member.hash_key not in actual)
        if inside:
            self._deliver(parcel.of(inside), placed)
        if outside:
            lane.retry.append(parcel.of(outside))

    return [(Publisher, "_judge", wrong)]
