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


class Recent(Generic[T]):
    """Readings of a counter over the last ``over_ms``, and the last one before them."""

    def __init__(self, over_ms: int) -> None:
        self._over_ms = over_ms
        self._readings: deque[tuple[int, T]] = deque()

    def add(self, ticks_ms: int, reading: T) -> None:
        self._readings.append((ticks_ms, reading))
        while len(self._readings) > 2 and self._readings[1][0] <= ticks_ms - self._over_ms:
            self._readings.popleft()

    def clear(self) -> None:
        self._readings.clear()

    @property
    def first(self) -> T:
        return self._readings[0][1]

    @property
    def last(self) -> T | None:
        return self._readings[-1][1] if self._readings else None

    @property
    def since_ms(self) -> int:
        return self._readings[-1][0] - self._readings[0][0] if self._readings else 0

    def idle_ms(self, ticks_ms: int) -> int:
        return ticks_ms - self._readings[-1][0] if self._readings else 0


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
        last = self._counts.last
        if last is not None and total < last[0]:
            self._counts.clear()
        self._counts.add(ticks_ms, (total, arrived_ms))

    def per_second(self) -> float | None:
        """Over the last ten seconds; None before the second reading."""
        last, since_ms = self._counts.last, self._counts.since_ms
        return None if last is None or not since_ms else round((last[0] - self._counts.first[0]) * 1000 / since_ms, 1)

    def waiting(self, behind_ms: int | None) -> int | None:
        """About how many events are still to be read: the lag in time, at the density at which the last ones had arrived.

        None when that is not known: Kinesis reports the lag in time alone.
        """
        last = self._counts.last
        if not behind_ms or last is None:
            return behind_ms
        events, arriving_ms = (now - before for now, before in zip(last, self._counts.first, strict=True))
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
