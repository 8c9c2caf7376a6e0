"""How much may pass: what a client sends, and traces, whose cost must not grow with the traffic. Times are seconds of any
monotonic clock."""


class TokenBucket:
    """``rate`` a second over the long run, ``burst`` at once after a pause; full at first. Not thread-safe.

    A request of more than the burst passes when the bucket is full and leaves it in debt: it could never pass
    otherwise, and the rate over the long run stays what it is.
    """

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at = now

    def wait_for(self, events: float, now: float) -> float:
        """Seconds until ``take`` would let so many events pass; 0 when it would now."""
        needed = min(events, self._burst)
        return max(0.0, (needed - self._level(now)) / self._rate)

    def take(self, events: float, now: float) -> float:
        """Let these events pass and return 0, or take nothing and return the seconds to wait."""
        wait = self.wait_for(events, now)
        if wait == 0.0:
            self._tokens = self._level(now) - events
            self._at = max(self._at, now)
        return wait

    def _level(self, now: float) -> float:
        # a clock that seems to run backwards (two threads, two readings) adds nothing
        return min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
