"""The newest stretch of time, kept up to date at a bounded cost: says what to read, and keeps what was read. Pure."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import msgspec

from consumers.analytics.views import Granularity, RowContent, Total, WindowView
from serving.pages.now.spans import Span


class Asked(NamedTuple):
    """Rows to read, ``[start, end)``; ``whole`` when that is all of them."""

    start: int
    end: int
    whole: bool


class Sum(msgspec.Struct, kw_only=True):
    """What a bar says. ``revenue``: minor units by currency."""

    start: int
    events: int = 0
    orders: int = 0
    revenue: dict[str, int] = {}

    def add(self, row: RowContent) -> None:
        self.events += sum(row.events.values())
        self.orders += row.events.get("purchase", 0)
        self.revenue = dict(Counter(self.revenue) + Counter(row.revenue))


class Reading:
    """Rows as they come from the store."""

    def __init__(self, asked: Asked, span: Span, first: int, tail_from: int) -> None:
        self.asked = asked
        self.first = first
        self.tail_from = tail_from
        self.settled = Total()
        self.tail = Total()
        self.settled_bars: dict[int, Sum] = {}
        self.tail_bars: dict[int, Sum] = {}
        self.before = Sum(start=asked.start)
        self._bar_ms = span.bar_ms

    def add(self, start_ms: int, row: RowContent) -> None:
        if start_ms < self.first:
            self.before.add(row)
            return
        is_tail = start_ms >= self.tail_from
        (self.tail if is_tail else self.settled).add(row)
        bar = start_ms - start_ms % self._bar_ms
        (self.tail_bars if is_tail else self.settled_bars).setdefault(bar, Sum(start=bar)).add(row)


class Stretch:
    """Ends with the bar that holds the anchor, the time that counts as now.

    The rows of the newest windows (the tail) are read every time and replaced; those before are kept added up.
    """

    def __init__(self, span: Span, top: int) -> None:
        self.span = span
        self._top = top
        self._kept: Reading | None = None
        self._tail: Reading | None = None
        self._end = 0
        self._read_at = 0
        self._all_read_at = 0
        #: Sums over everything; None before the first reading.
        self.total: WindowView | None = None

    def due(self, anchor_ms: int, now_ms: int) -> Asked | None:
        """What is to be read now, None if nothing is."""
        span = self.span
        end = span.end(anchor_ms)
        current = anchor_ms - anchor_ms % span.row_ms
        if self._kept is None or end != self._end or now_ms - self._all_read_at >= span.whole_ms:
            return Asked(max(0, end - span.length_ms * (2 if span.compared else 1)), end, whole=True)
        if now_ms - self._read_at < span.newest_ms:
            return None
        return Asked(min(self._kept.tail_from, current), end, whole=False)

    def begin(self, asked: Asked, anchor_ms: int) -> Reading:
        """Takes the rows of ``due``'s answer."""
        span = self.span
        if not asked.whole and self._kept is not None:
            return Reading(asked, span, asked.start, asked.start)
        current = anchor_ms - anchor_ms % span.row_ms
        return Reading(asked, span, max(0, asked.end - span.length_ms), current - (span.tail - 1) * span.row_ms)

    def keep(self, reading: Reading, now_ms: int) -> None:
        """From now on this is what was read."""
        if reading.asked.whole:
            self._kept, self._all_read_at = reading, now_ms
        assert self._kept is not None
        self._tail, self._end, self._read_at = reading, reading.asked.end, now_ms
        total = self._kept.settled.copy()
        total.merge(reading.tail)
        start = self._end - self.span.length_ms
        self.total = total.view(Granularity(self.span.sessions), start, self._end, self._top)

    def bars(self) -> list[Sum]:
        """Oldest first, zeros where nothing happened."""
        if self._kept is None or self._tail is None:
            return []
        settled, tail = self._kept.settled_bars, self._tail.tail_bars
        starts = range(self._end - self.span.length_ms, self._end, self.span.bar_ms)
        return [_joined(start, settled.get(start), tail.get(start)) for start in starts]

    def before(self) -> Sum | None:
        """The stretch of the same length before this one; None where it is not read."""
        return self._kept.before if self._kept is not None and self.span.compared else None


def _joined(start: int, one: Sum | None, other: Sum | None) -> Sum:
    if one is None or other is None:
        return one or other or Sum(start=start)
    revenue = dict(Counter(one.revenue) + Counter(other.revenue))
    return Sum(start=start, events=one.events + other.events, orders=one.orders + other.orders, revenue=revenue)
