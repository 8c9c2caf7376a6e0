"""How much a client may send: a token bucket. Time is an argument, in seconds of any monotonic clock."""

from __future__ import annotations

import msgspec


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """Events per second over the long run, and how many at once after a pause."""

    rate: float = 1_000.0
    burst: float = 5_000.0

    def __post_init__(self) -> None:
        if self.rate <= 0 or self.burst < 1:
            raise ValueError("a rate is above 0 and a burst at least 1")


class TokenBucket:
    """One token an event; full at first.

    A request of more events than the burst passes when the bucket is full and leaves it in debt: it could never pass
    otherwise, and the rate over the long run stays what it is.
    """

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._tokens = rate.burst
        self._at = now

    def wait_for(self, events: float, now: float) -> float:
        """Seconds until ``take`` would let so many events pass; 0 when it would now."""
        needed = min(events, self._rate.burst)
        return max(0.0, (needed - self._level(now)) / self._rate.rate)

    def take(self, events: float, now: float) -> float:
        """Let these events pass and return 0, or take nothing and return the seconds to wait."""
        wait = self.wait_for(events, now)
        if wait == 0.0:
            self._tokens = self._level(now) - events
            self._at = max(self._at, now)
        return wait

    def _level(self, now: float) -> float:
        # a clock that seems to run backwards (two threads, two readings) adds nothing
        return min(self._rate.burst, self._tokens + max(0.0, now - self._at) * self._rate.rate)
