"""A file's events to the stream, at their original pace or as fast as the stream takes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import IO, TYPE_CHECKING, Protocol

import msgspec

from clickstream.errors import Rejected
from clickstream.events import AnyEvent
from clickstream.load.driving.pace import MAX_SPEED, Pace, wait_until
from clickstream.load.replay.formats import Fault, Line

if TYPE_CHECKING:
    import pandas as pd


class Putter(Protocol):
    """What a replay needs of the publisher: ``put`` keeps the order per user and waits while the memory bound is reached."""

    def put(self, event: AnyEvent) -> None: ...


class Account:
    """What was sent, for a later judgement: the lines as they were read, and when each left under which id."""

    def __init__(self, spool: IO[bytes], file_format: str) -> None:
        self._spool, self._format = spool, file_format
        self._ids: list[str] = []
        self._times: list[int] = []

    def add(self, line: Line, now_ms: int) -> None:
        self._spool.write(line.data + b"\n")
        self._ids.append(line.event.event_id)
        self._times.append(now_ms)

    def frame(self) -> pd.DataFrame:
        from clickstream.load.verdict import frames  # pandas is slow to import

        self._spool.seek(0)
        return frames.from_lines(self._spool, self._format).assign(event_id=self._ids, arrived=self._times)


class Tally(msgspec.Struct):
    """What a replay came to."""

    sent: int = 0
    rejected: int = 0
    """Lines that are no event, or that Kinesis could never take; a cut tail is not among them."""
    cut_tail: bool = False


def replay(
    entries: Iterable[Line | Fault],
    publisher: Putter,
    pace: Pace,
    *,
    on_fault: Callable[[Fault], None],
    on_sent: Callable[[Line], None],
) -> Tally:
    """Put every event in its turn, report every fault; returns once all are handed to the publisher (not yet flushed)."""
    tally = Tally()
    started = time.monotonic()
    first_ms: int | None = None
    for entry in entries:
        if isinstance(entry, Fault):
            _count(tally, entry)
            on_fault(entry)
            continue
        event = entry.event
        if pace.speed != MAX_SPEED:
            first_ms = event.occurred_at if first_ms is None else first_ms
            wait_until(started + pace.offset_s(first_ms, event.occurred_at))
        try:
            publisher.put(event)
        except Rejected as error:
            fault = Fault(line=entry.number, path=error.path, reason=error.reason)
            _count(tally, fault)
            on_fault(fault)
            continue
        tally.sent += 1
        on_sent(entry)
    return tally


def _count(tally: Tally, fault: Fault) -> None:
    if fault.tail:
        tally.cut_tail = True
    else:
        tally.rejected += 1
