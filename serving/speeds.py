"""Speeds out of counters that move in steps, because workers report at their commits. Pure: times are arguments.

``ticks_ms`` are a monotonic clock's: an interval has the same length when somebody sets the wall clock. ``at_ms`` is the wall
clock's time, for what is shown.
"""

from collections import deque
from typing import Generic, NamedTuple, TypeVar

#: A rate is taken over this long: longer than a commit interval, or the line would be a comb.
SMOOTHING_MS = 10_000
#: How much of the line is kept, and how far apart its points are at least.
KEPT_MS = 300_000
STEP_MS = 900

T = TypeVar("T")


class Recent(deque[tuple[int, T]]):
    """(ticks, reading) of a counter over the last ``over_ms``, and the last one before them."""

    def __init__(self, over_ms: int) -> None:
        super().__init__()
        self._over_ms = over_ms

    def add(self, ticks_ms: int, reading: T) -> None:
        self.append((ticks_ms, reading))
        while len(self) > 2 and self[1][0] <= ticks_ms - self._over_ms:
            self.popleft()

    @property
    def lasted_ms(self) -> int:
        return self[-1][0] - self[0][0] if self else 0


class Line(Generic[T]):
    """Points at least ``step_ms`` apart, of the last ``kept_ms``."""

    def __init__(self, step_ms: int, kept_ms: int) -> None:
        self._step_ms = step_ms
        self._kept_ms = kept_ms
        self._points: deque[tuple[int, int, T]] = deque()

    def add(self, ticks_ms: int, at_ms: int, point: T) -> None:
        """Leaves a point out that comes too soon."""
        if self._points and ticks_ms - self._points[-1][0] < self._step_ms:
            return
        # after the wall clock was set back, later points would lie to the left of earlier ones
        while self._points and self._points[-1][1] >= at_ms:
            self._points.pop()
        self._points.append((ticks_ms, at_ms, point))
        while self._points[0][0] < ticks_ms - self._kept_ms:
            self._points.popleft()

    def points(self) -> list[tuple[int, T]]:
        """(wall-clock time in ms, point), oldest first."""
        return [(at_ms, point) for _, at_ms, point in self._points]


class Speed(NamedTuple):
    """Of one shard under one application. ``waiting``: about how many events are still to be read."""

    per_second: float | None
    waiting: int | None


class Meter:
    """The recent history of one shard under one application."""

    def __init__(self) -> None:
        self._counts: Recent[tuple[int, int]] = Recent(SMOOTHING_MS)

    def add(self, ticks_ms: int, total: int, arrived_ms: int = 0) -> None:
        """Record the total, and when the last of those events arrived at the stream.

        A total that falls (a store wiped, a name reused) begins a new count.
        """
        if self._counts and total < self._counts[-1][1][0]:
            self._counts.clear()
        self._counts.add(ticks_ms, (total, arrived_ms))

    def _moved(self) -> tuple[int, int]:
        """Events, and the time (ms) over which they had arrived."""
        (_, first), (_, last) = self._counts[0], self._counts[-1]
        return last[0] - first[0], last[1] - first[1]

    def per_second(self) -> float | None:
        """Over the last ten seconds; None before the second reading."""
        lasted_ms = self._counts.lasted_ms
        return round(self._moved()[0] * 1000 / lasted_ms, 1) if lasted_ms else None

    def waiting(self, behind_ms: int | None) -> int | None:
        """About how many events are still to be read: the lag in time, at the density at which the last ones had arrived.

        None when that is not known: Kinesis reports the lag in time alone.
        """
        if not behind_ms or not self._counts:
            return behind_ms
        events, arriving_ms = self._moved()
        return round(behind_ms * events / arriving_ms) if arriving_ms > 0 else None


class Rate(Line[float]):
    """The line of events per second of a growing total."""

    def __init__(self) -> None:
        super().__init__(STEP_MS, KEPT_MS)
        self._meter = Meter()

    def count(self, ticks_ms: int, at_ms: int, total: int) -> None:
        self._meter.add(ticks_ms, total)
        if (per_second := self._meter.per_second()) is not None:
            self.add(ticks_ms, at_ms, per_second)
