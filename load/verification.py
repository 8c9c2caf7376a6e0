"""Waits until analytics has everything, then compares every answer with what must come out, and names the differences."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from load import progress
from load.aggregates import Difference, Totals, Window, differences
from load.progress import Counted, ShardProgress

APPLICATION = "analytics"
_LOOK_S = 0.25
#: How long answers may still differ after completeness: DynamoDB's plain reads lag its writes by less.
_SETTLE_S = 3.0
_SHOWN = 20


class Expectation(msgspec.Struct, frozen=True, kw_only=True):
    """What must come out of what was sent."""

    sent: int
    """Records handed to the publisher: events, retries of them, and records that are no events."""
    put: int
    """Records that Kinesis acknowledged."""
    events: int
    """Valid events, each once."""
    dead_letters: int
    windows: Mapping[Window, Totals]
    foreign: frozenset[Window] = frozenset()
    """Windows that hold others' events too: not compared."""
    before: Counted = Counted()
    """What the application had counted before the first record was sent."""
    flushed_ms: int
    """When the last acknowledgement came (wall clock)."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome; ``ok`` only if nothing was lost, duplicated or wrong."""

    ok: bool
    sent: int
    put: int
    processed: int
    lost: int
    duplicated: int
    dead_lettered: int
    p50_ms: int
    """Put to visible effect."""
    p99_ms: int
    complete_to: str | None
    windows: int
    """Windows compared."""
    wrong: int
    problems: list[str]
    """What is not as it must be, one sentence each; the first differences of the aggregates among them."""


class Stores(msgspec.Struct, frozen=True):
    """Where the answers come from."""

    look: Callable[[], Sequence[ShardProgress]]
    ask: Callable[[Iterable[Window]], Mapping[Window, Totals]]


class Timer(msgspec.Struct, frozen=True):
    """The passing of time."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def verify(
    expected: Expectation,
    stores: Stores,
    *,
    stall_s: float,
    on_progress: Callable[[int], None],
    timer: Timer = Timer(),  # noqa: B008  a frozen value
) -> Report:
    """Wait while the application moves (it may stand still for ``stall_s`` at most), compare, and report.

    ``on_progress`` hears how many of the records have been processed. Raises RetryLater when a store does not answer.
    """
    shards = _wait(expected, stores, stall_s, on_progress, timer)
    deadline = timer.clock() + _SETTLE_S
    wrong = _compare(expected, stores)
    while wrong and timer.clock() < deadline:
        timer.sleep(_LOOK_S)
        wrong = _compare(expected, stores)
    return _report(expected, shards, wrong)


def _wait(
    expected: Expectation, stores: Stores, stall_s: float, on_progress: Callable[[int], None], timer: Timer
) -> Sequence[ShardProgress]:
    """The shards once they are complete, or once nothing has moved for too long."""
    latest, moved_at = Counted(-1), timer.clock()
    while True:
        shards = stores.look()
        done = progress.counted(shards) - expected.before
        on_progress(min(done.records, expected.sent))
        if _is_complete(expected, done, shards):
            return shards
        if done != latest:
            latest, moved_at = done, timer.clock()
        elif timer.clock() - moved_at > stall_s:
            return shards
        timer.sleep(_LOOK_S)


def _is_complete(expected: Expectation, done: Counted, shards: Sequence[ShardProgress]) -> bool:
    # records alone would not do: after a reshard events come twice, and stand in for others that are still on their way
    everything = done.events >= expected.events and done.dead_letters >= expected.dead_letters and done.records >= expected.put
    return everything and progress.caught_up(shards, expected.flushed_ms)


def _compare(expected: Expectation, stores: Stores) -> list[Difference]:
    return differences(expected.windows, stores.ask(expected.windows), foreign=expected.foreign)


def _report(expected: Expectation, shards: Sequence[ShardProgress], wrong: list[Difference]) -> Report:
    done = progress.counted(shards) - expected.before
    lost, duplicated = max(0, expected.events - done.events), max(0, done.events - expected.events)
    complete = _is_complete(expected, done, shards)
    problems = list(_problems(expected, done, complete=complete))
    problems += [str(difference) for difference in wrong[:_SHOWN]]
    latency = progress.latency(shards)
    complete_to = progress.complete_to(shards)
    return Report(
        ok=not problems,
        sent=expected.sent,
        put=expected.put,
        processed=done.events,
        lost=lost,
        duplicated=duplicated,
        dead_lettered=done.dead_letters,
        p50_ms=int(latency.get_value_at_percentile(50)),
        p99_ms=int(latency.get_value_at_percentile(99)),
        complete_to=None if complete_to is None else _iso(complete_to),
        windows=len(expected.windows.keys() - expected.foreign),
        wrong=len(wrong),
        problems=problems,
    )


def _problems(expected: Expectation, done: Counted, *, complete: bool) -> Iterable[str]:
    if expected.put != expected.sent:
        yield f"{expected.sent} records were sent, {expected.put} acknowledged"
    if not complete:
        yield f"analytics stands still at {done.records} of {expected.put} records"
    if done.events != expected.events:
        yield f"{expected.events} events must be processed, {done.events} were"
    if done.dead_letters != expected.dead_letters:
        yield f"{expected.dead_letters} records must be dead-lettered, {done.dead_letters} were"


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def told(report: Report) -> str:
    """The report for a person."""
    lines = [
        f"sent {report.sent:,}, put {report.put:,}, processed {report.processed:,}, dead-lettered {report.dead_lettered:,}",
        f"lost {report.lost:,}, duplicated {report.duplicated:,}",
        f"put to visible effect: p50 {report.p50_ms:,} ms, p99 {report.p99_ms:,} ms; complete to {report.complete_to}",
        f"{report.windows:,} windows compared, {report.wrong:,} aggregates differ",
        *(f"wrong: {problem}" for problem in report.problems),
        "equal" if report.ok else "NOT equal",
    ]
    return "\n".join(lines)
