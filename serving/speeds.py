"""Speeds out of counters that move in steps, because workers report at their commits. Pure: the time is an argument."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

#: A rate is taken over this long: longer than a commit interval, or the line would be a comb.
SMOOTHING_MS = 10_000
#: How much of the line is kept, and how far apart its points are at least.
KEPT_MS = 300_000
STEP_MS = 900


class Speed(NamedTuple):
    """Of one shard under one application. ``waiting``: about how many events are still to be read."""

    per_second: float | None
    waiting: int | None


class _Count(NamedTuple):
    at_ms: int
    total: int
    arrived_ms: int


class Meter:
    """The recent history of one shard under one application."""

    def __init__(self) -> None:
        self._counts: deque[_Count] = deque()

    def add(self, now_ms: int, total: int, arrived_ms: int = 0) -> None:
        """Record the total read at a time, and when the last of those arrived at the stream.

        A total that falls (a store wiped, a name reused) begins a new count.
        """
        counts = self._counts
        if counts and total < counts[-1].total:
            counts.clear()
        counts.append(_Count(now_ms, total, arrived_ms))
        while len(counts) > 2 and counts[1].at_ms <= now_ms - SMOOTHING_MS:
            counts.popleft()

    def per_second(self) -> float | None:
        """Over the last ten seconds; None before the second reading."""
        if len(self._counts) < 2 or self._counts[-1].at_ms == self._counts[0].at_ms:
            return None
        first, last = self._counts[0], self._counts[-1]
        return round((last.total - first.total) * 1000 / (last.at_ms - first.at_ms), 1)

    def waiting(self, behind_ms: int | None) -> int | None:
        """About how many events are still to be read: the lag in time, at the density at which the last ones had arrived.

        None when that is not known: Kinesis tells the lag in time alone.
        """
        if not behind_ms:
            return behind_ms
        first, last = self._counts[0], self._counts[-1]
        if last.arrived_ms <= first.arrived_ms:
            return None
        return round(behind_ms * (last.total - first.total) / (last.arrived_ms - first.arrived_ms))


class Rate:
    """The line of events per second of a growing total."""

    def __init__(self) -> None:
        self._meter = Meter()
        self._points: deque[tuple[int, float]] = deque()

    def add(self, now_ms: int, total: int) -> None:
        self._meter.add(now_ms, total)
        per_second = self._meter.per_second()
        if per_second is not None and (not self._points or now_ms - self._points[-1][0] >= STEP_MS):
            self._points.append((now_ms, per_second))
        while self._points and self._points[0][0] < now_ms - KEPT_MS:
            self._points.popleft()

    def points(self) -> list[tuple[int, float]]:
        """(time in ms, events per second), oldest first."""
        return list(self._points)
