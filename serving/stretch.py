"""The newest windows of one granularity, read at a bounded cost. Pure: says what to read, and keeps what was read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from consumers.analytics.views import WindowView
from serving.periods import WINDOW_MS
from serving.read_model import Granularity

#: Events of the window before still come in for this long after the current one began: shards lag, visitors' clocks differ.
SETTLING_MS = 120_000


class Cadence(NamedTuple):
    """How many windows are kept, how often the newest are read, and how often all of them are, for late events."""

    windows: int
    newest_ms: int
    all_ms: int


#: The page shows days one by one. A row of an hour is large, and a day is read as its hours: these are read less often.
CADENCES: dict[Granularity, Cadence] = {
    "minute": Cadence(windows=60, newest_ms=0, all_ms=60_000),
    "hour": Cadence(windows=24, newest_ms=3_000, all_ms=300_000),
    "day": Cadence(windows=2, newest_ms=15_000, all_ms=300_000),
}


class Asked(NamedTuple):
    """Windows to read, [start, end), of a stretch that begins at ``first`` and has the same end."""

    first: int
    start: int
    end: int


class Stretch:
    """Ends with the window that holds the anchor, the time that counts as now."""

    def __init__(self, kind: Granularity) -> None:
        self.kind: Granularity = kind
        self._width = WINDOW_MS[kind]
        self._cadence = CADENCES[kind]
        self._windows: dict[int, WindowView] = {}
        self._first = 0
        self._current = 0
        self._read_at = 0
        self._all_read_at: int | None = None

    def due(self, anchor_ms: int, now_ms: int) -> Asked | None:
        """What is to be read now, None if nothing is."""
        current = anchor_ms // self._width * self._width
        first = max(0, current - (self._cadence.windows - 1) * self._width)
        end = current + self._width
        if self._all_read_at is None or first < self._first or now_ms - self._all_read_at >= self._cadence.all_ms:
            return Asked(first, first, end)
        if current == self._current and now_ms - self._read_at < self._cadence.newest_ms:
            return None
        # every window since the newest one that was seen: the data's time jumps when a replay runs at speed
        start = min(current, max(self._windows, default=current))
        if anchor_ms - current < SETTLING_MS:
            start = min(start, current - self._width)
        return Asked(first, max(first, start), end)

    def keep(self, asked: Asked, windows: Sequence[WindowView], now_ms: int) -> None:
        """What was read for ``due``'s answer."""
        self._first, self._current, self._read_at = asked.first, asked.end - self._width, now_ms
        if asked.start == asked.first:
            self._all_read_at = now_ms
        kept = {at: window for at, window in self._windows.items() if asked.first <= at < asked.start}
        self._windows = kept | {window.start_ms: window for window in windows}

    def current(self) -> WindowView | None:
        return self._windows.get(self._current)

    def previous(self) -> WindowView | None:
        return self._windows.get(self._current - self._width)

    def series(self) -> list[dict[str, Any]]:
        """One point per window, zeros where nothing happened, oldest first."""
        return [self._point(start) for start in range(self._first, self._current + self._width, self._width)]

    def _point(self, start_ms: int) -> dict[str, Any]:
        window = self._windows.get(start_ms)
        if window is None:
            return {"start": start_ms, "events": 0, "revenue": {}}
        return {"start": start_ms, "events": sum(window.counts.values()), "revenue": window.revenue}
