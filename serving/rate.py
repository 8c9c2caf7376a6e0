"""Events per second out of a counter that moves in steps, because workers report at their commits."""

from __future__ import annotations

from collections import deque

#: A rate is taken over this long: longer than a commit interval, or the line would be a comb.
SMOOTHING_MS = 10_000
#: How much of the line is kept.
KEPT_MS = 300_000


class Rate:
    """The history of a growing total. Pure: the time is an argument."""

    def __init__(self) -> None:
        self._totals: deque[tuple[int, int]] = deque()
        self._points: deque[tuple[int, float]] = deque()

    def add(self, now_ms: int, total: int) -> None:
        """Record the total read at a time. A total that falls (a store wiped, a name reused) begins a new count."""
        if self._totals and total < self._totals[-1][1]:
            self._totals.clear()
        self._totals.append((now_ms, total))
        while len(self._totals) > 2 and self._totals[1][0] <= now_ms - SMOOTHING_MS:
            self._totals.popleft()
        began, first = self._totals[0]
        if now_ms > began:
            self._points.append((now_ms, round((total - first) * 1000 / (now_ms - began), 1)))
        while self._points and self._points[0][0] < now_ms - KEPT_MS:
            self._points.popleft()

    def points(self) -> list[tuple[int, float]]:
        """(time in ms, events per second), oldest first."""
        return list(self._points)
