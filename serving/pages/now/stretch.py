"""The newest stretch of time, kept up to date at a bounded cost: what is due is read, and added to what was read before."""

from collections import Counter
from collections.abc import Callable, Iterable

import msgspec

from clickstream.consumers.analytics.views import Granularity, RowContent, Total, WindowView
from clickstream.serving.pages.now.spans import Span

Rows = Callable[[Granularity, int, int], Iterable[tuple[int, RowContent]]]
"""See ``clickstream.consumers.analytics.views.Aggregates.rows``."""


class Sum(msgspec.Struct, kw_only=True):
    """What a bar shows. ``revenue``: minor units by currency."""

    start: int
    events: int = 0
    orders: int = 0
    revenue: dict[str, int] = {}

    def add(self, other: "Sum") -> None:
        self.events += other.events
        self.orders += other.orders
        self.revenue = dict(Counter(self.revenue) + Counter(other.revenue))


def _sum(start_ms: int, row: RowContent) -> Sum:
    return Sum(start=start_ms, events=sum(row.events.values()), orders=row.events.get("purchase", 0), revenue=row.revenue)


class Part:
    """The rows of some windows, added up as a whole and by bar."""

    def __init__(self, bar_ms: int) -> None:
        self.total = Total()
        self.bars: dict[int, Sum] = {}
        self._bar_ms = bar_ms

    def add(self, start_ms: int, row: RowContent) -> None:
        self.total.add(row)
        bar = start_ms - start_ms % self._bar_ms
        self.bars.setdefault(bar, Sum(start=bar)).add(_sum(bar, row))


class Stretch:
    """Ends with the bar that holds the anchor, the time that counts as now.

    The rows of the newest windows (the tail) are read every time and replaced; those before are kept added up. ``ticks_ms``
    is a monotonic clock's time: how often something is read does not depend on who sets the wall clock.
    """

    def __init__(self, span: Span, top: int) -> None:
        self.span = span
        self._top = top
        self._settled: Part | None = None
        self._tail = Part(span.bar_ms)
        self._tail_from = 0
        self._end = 0
        self._read_at = 0
        self._all_read_at = 0
        #: The stretch of the same length before this one; None where it is not read.
        self.before: Sum | None = None
        #: Sums over everything; None before the first reading.
        self.total: WindowView | None = None

    def read(self, rows: Rows, anchor_ms: int, ticks_ms: int) -> None:
        """Read what is due, if anything."""
        span, end = self.span, self.span.end(anchor_ms)
        current = anchor_ms - anchor_ms % span.rows.ms
        first = max(0, end - span.length_ms)
        settled, tail_from = self._settled, min(self._tail_from, current)
        begin = tail_from
        if settled is None or end != self._end or ticks_ms - self._all_read_at >= span.whole_ms:
            settled, tail_from = Part(span.bar_ms), current - (span.tail - 1) * span.rows.ms
            begin = max(0, first - span.length_ms) if span.compared else first
        elif ticks_ms - self._read_at < span.newest_ms:
            return
        tail, before = Part(span.bar_ms), Sum(start=begin)
        for start_ms, row in rows(span.rows, begin, end):
            if start_ms < first:
                before.add(_sum(start_ms, row))
            else:
                (tail if start_ms >= tail_from else settled).add(start_ms, row)
        if settled is not self._settled:
            self._settled, self._tail_from, self._all_read_at = settled, tail_from, ticks_ms
            self.before = before if span.compared else None
        self._tail, self._end, self._read_at = tail, end, ticks_ms
        total = Total()
        total.merge(settled.total)
        total.merge(tail.total)
        self.total = total.view(span.sessions, end - span.length_ms, end, self._top)

    def bars(self) -> list[Sum]:
        """Oldest first, zeros where nothing happened."""
        if self._settled is None:
            return []
        starts = range(self._end - self.span.length_ms, self._end, self.span.bar_ms)
        bars = {start: Sum(start=start) for start in starts}
        for part in (self._settled, self._tail):
            for start in part.bars.keys() & bars.keys():
                bars[start].add(part.bars[start])
        return [*bars.values()]
