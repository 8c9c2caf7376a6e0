"""Waits until the applications have everything, then compares every answer with what must come out, and names what differs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from clickstream.infra.local.processes import Heartbeat
from clickstream.load.verdict import progress
from clickstream.load.verdict.comparers.compared import Compared
from clickstream.load.verdict.progress import Counted, ShardProgress
from clickstream.load.verdict.report import ApplicationReport, Report
from clickstream.progress.completeness import completeness

_LOOK_S = 0.25
_BEAT_S = 10.0
#: How long answers may still differ after completeness: DynamoDB's plain reads lag its writes, and a shard writes what it held
#: back while it was busy (hours) at its next heartbeat; on a busy machine that took more than three seconds.
_SETTLE_S = 10.0
_SHOWN = 40
#: The name of the comparison that belongs to no application.
LETTERS = "dead-letters"


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """What must come of what was sent, whatever the application."""

    sent: int
    """Records that must be on the stream: events, retries of them, and records that are no events."""
    put: int
    """Records that were acknowledged."""
    events: int
    """Valid events, each once."""
    repeated: int = 0
    """Events that had come before, and count once."""
    dead_letters: int
    """Of each application."""
    to_refuse: int = 0
    """Records that must not be accepted."""
    refused: int = 0
    flushed_ms: int
    """When the last acknowledgement came (wall clock)."""
    door: Sequence[str] = ()
    """What the collector answered otherwise than it must."""
    others: int = 0
    """Events that others sent meanwhile; as many more may have been processed, and any number dead-lettered."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """An application to be verified: where to look how far it is, and the comparison of its answers with the truth."""

    look: Callable[[], Sequence[ShardProgress]]
    compare: Callable[[], Compared]
    before: Counted = Counted()
    """What it had counted before the first record was sent."""


class Timer(msgspec.Struct, frozen=True):
    """The passing of time."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


Shards = Mapping[str, Sequence[ShardProgress]]


def verify(
    expected: Expectation,
    subjects: Mapping[str, Subject],
    letters: Callable[[], Compared] | None = None,
    others: Callable[[], int] | None = None,
    *,
    stall_s: float,
    on_progress: Callable[[int], None],
    say: Callable[[str], None] = lambda _line: None,
    timer: Timer = Timer(),  # noqa: B008  a frozen value
) -> Report:
    """Wait while the applications move (they may stand still for ``stall_s`` at most), compare, and report.

    ``letters`` compares the dead-letter queue, ``others`` counts the events that others have sent meanwhile. ``on_progress``
    hears how many of the records all applications have processed, ``say`` every few seconds what is awaited.
    Raises RetryLater when a store does not answer.
    """
    shards = _wait(expected, subjects, stall_s, on_progress, Heartbeat(say, every_s=_BEAT_S), timer)
    if others is not None:  # only now: they may go on
        expected = msgspec.structs.replace(expected, others=others())
    comparisons = {name: subject.compare for name, subject in subjects.items()}
    if letters is not None:
        comparisons[LETTERS] = letters
    say("comparing every answer with what was sent")
    began = timer.clock()
    compared = {name: compare() for name, compare in comparisons.items()}
    while (differing := [name for name, each in compared.items() if not each.is_exact]) or not _is_told(
        expected, subjects, shards
    ):
        if timer.clock() - began >= (max(stall_s, _SETTLE_S) if _holds_back(expected, shards) else _SETTLE_S):
            break
        timer.sleep(_LOOK_S)
        shards = {name: subject.look() for name, subject in subjects.items()}
        compared |= {name: comparisons[name]() for name in differing}
    return _report(expected, subjects, shards, compared)


def _wait(
    expected: Expectation,
    subjects: Mapping[str, Subject],
    stall_s: float,
    on_progress: Callable[[int], None],
    beat: Heartbeat,
    timer: Timer,
) -> Shards:
    """The shards once all applications are complete, or once none that is not has moved for too long."""
    latest: dict[str, Counted] = {}
    moved_at = timer.clock()
    while True:
        shards = {name: subject.look() for name, subject in subjects.items()}
        done = {name: progress.counted(shards[name]) - subject.before for name, subject in subjects.items()}
        on_progress(min([expected.sent, *(each.records for each in done.values())]))
        # whoever has everything may go on with the events of others, which is no movement of those that stand still
        awaited = {name: each for name, each in done.items() if not _is_complete(expected, each, shards[name])}
        if not awaited:
            return shards
        beat(f"waiting for {', '.join(f'{name} ({each.records:,} of {expected.put:,})' for name, each in awaited.items())}")
        if awaited != latest:
            latest, moved_at = awaited, timer.clock()
        elif timer.clock() - moved_at > stall_s:
            return shards
        timer.sleep(_LOOK_S)


def _is_complete(expected: Expectation, done: Counted, shards: Sequence[ShardProgress]) -> bool:
    # records alone would not do: after a reshard events come twice, and stand in for others that are still on their way
    everything = done.events >= expected.events and done.dead_letters >= expected.dead_letters and done.records >= expected.put
    return everything and progress.caught_up(shards, expected.flushed_ms)


def _is_told(expected: Expectation, subjects: Mapping[str, Subject], shards: Shards) -> bool:
    """Whether all applications have said to when they are complete; of one that lacks something nobody waits for it."""
    return all(
        not _is_complete(expected, progress.counted(shards[name]) - subject.before, shards[name])
        or completeness(shards[name]).complete_to is not None
        for name, subject in subjects.items()
    )


def _holds_back(expected: Expectation, shards: Shards) -> bool:
    """A shard that was busy writes some rows a little later than it has read, and says when it has."""
    return any(not shard.ended and shard.whole_to < expected.flushed_ms for rows in shards.values() for shard in rows)


def _report(expected: Expectation, subjects: Mapping[str, Subject], shards: Shards, compared: Mapping[str, Compared]) -> Report:
    applications: dict[str, ApplicationReport] = {}
    problems = list(_problems_of_sending(expected))
    for name, subject in subjects.items():
        done = progress.counted(shards[name]) - subject.before
        applications[name] = _application(expected, done, shards[name], compared[name])
        complete = _is_complete(expected, done, shards[name])
        problems += [f"{name} {problem}" for problem in _problems(expected, done, complete=complete)]
        problems += compared[name].problems
    queue = compared.get(LETTERS, Compared())
    for name, each in compared.items():
        if not each.compared and (name in subjects or not subjects):
            why = "; ".join(f"{count:,} {why}" for why, count in each.left_out.items()) or "nothing was sent for it"
            problems.append(f"{name} has nothing that could be compared: {why}")
    problems += queue.problems
    parts = applications.values()
    complete_to = [part.complete_to for part in parts]
    return Report(
        ok=not problems and all(each.is_exact for each in compared.values()),
        sent=expected.sent,
        put=expected.put,
        repeated=expected.repeated,
        others=expected.others,
        processed=min((part.processed for part in parts), default=0),
        lost=sum(part.lost for part in parts) + queue.lost,
        duplicated=sum(part.duplicated for part in parts) + queue.duplicated,
        dead_lettered=min((part.dead_lettered for part in parts), default=0),
        p50_ms=max((part.p50_ms for part in parts), default=0),
        p99_ms=max((part.p99_ms for part in parts), default=0),
        complete_to=None if None in complete_to else min((each for each in complete_to if each is not None), default=None),
        windows=compared["analytics"].compared if "analytics" in compared else 0,
        wrong=sum(part.wrong for part in parts) + queue.wrong,
        late=sum(part.late for part in parts),
        problems=problems[:_SHOWN],
        applications=applications,
        letters=queue.figures,
    )


def _application(
    expected: Expectation, done: Counted, shards: Sequence[ShardProgress], compared: Compared
) -> ApplicationReport:
    latency = progress.latency(shards)
    complete_to = completeness(shards).complete_to
    return ApplicationReport(
        processed=done.events,
        # an event that never came is missing in the answers too: counted once
        lost=max(expected.events - done.events, compared.lost),
        duplicated=max(done.events - expected.events - expected.others, compared.duplicated),
        wrong=compared.wrong,
        late=compared.late,
        dead_lettered=done.dead_letters,
        compared=compared.compared,
        p50_ms=int(latency.get_value_at_percentile(50)),
        p99_ms=int(latency.get_value_at_percentile(99)),
        complete_to=None if complete_to is None else _iso(complete_to),
        left_out=compared.left_out,
        figures=compared.figures,
    )


def _problems_of_sending(expected: Expectation) -> Iterable[str]:
    if expected.put != expected.sent:
        yield f"{expected.sent} records were sent, {expected.put} acknowledged"
    if expected.refused != expected.to_refuse:
        yield f"{expected.to_refuse} records must be refused before they reach the stream, {expected.refused} were"
    yield from (f"the door: {wrong}" for wrong in expected.door)


def _problems(expected: Expectation, done: Counted, *, complete: bool) -> Iterable[str]:
    if not complete:
        yield f"stands still at {done.records} of {expected.put} records"
    if not expected.events <= done.events <= expected.events + expected.others:
        yield f"must process {expected.events} events, and processed {done.events}"
    if done.dead_letters < expected.dead_letters or (done.dead_letters > expected.dead_letters and not expected.others):
        yield f"must reject {expected.dead_letters} records, and dead-lettered {done.dead_letters}"


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
