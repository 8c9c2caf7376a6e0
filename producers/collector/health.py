"""Whether the stream takes events, from what became of the last ones. Time is an argument, in seconds of a monotonic clock."""

from math import inf


class StreamHealth:
    """Not ready while the last news is bad and fresh.

    Old bad news does not count: whoever sends no traffic to a collector that is not ready would never hear that the stream is
    back.
    """

    STALE_SECONDS = 5.0
    LINE_SECONDS = 60.0

    def __init__(self) -> None:
        self._good_at = -inf
        self._bad_at = -inf
        self._told_at = -inf

    def note(self, *, delivered: bool, now: float) -> bool:
        """What became of a request; True when that is a change worth a line in the log."""
        was_good = self._good_at >= self._bad_at
        if delivered:
            self._good_at = now
        else:
            self._bad_at = now
        return was_good != delivered

    def worth_a_line(self, now: float) -> bool:
        """Whether a refusal that lasts is to be told again: it is once a minute."""
        if now - self._told_at < self.LINE_SECONDS:
            return False
        self._told_at = now
        return True

    def ready(self, now: float) -> bool:
        return self._good_at >= self._bad_at or now - self._bad_at > self.STALE_SECONDS
