"""How many traces a second: a token bucket, so that the cost of tracing does not grow with the traffic."""

from collections.abc import Callable


class Pace:
    """At most ``per_second`` in the long run, and as many at once after a pause. ``clock_s`` in seconds. Not thread-safe."""

    def __init__(self, per_second: float, clock_s: Callable[[], float]) -> None:
        self._per_second = per_second
        self._clock_s = clock_s
        self._left = per_second
        self._at_s = clock_s()

    @property
    def spent(self) -> bool:
        """Whether the next would have to wait."""
        if self._left < 1.0:
            now_s = self._clock_s()
            self._left = min(self._per_second, self._left + (now_s - self._at_s) * self._per_second)
            self._at_s = now_s
        return self._left < 1.0

    def take(self) -> bool:
        """One more, if there may be one now."""
        if self.spent:
            return False
        if self._left == self._per_second:
            self._at_s = self._clock_s()  # what a full bucket could have gained is lost
        self._left -= 1.0
        return True
