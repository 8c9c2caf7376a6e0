"""When a daemon that ended by itself is started again: a decision as a value, the time as an argument."""

from collections.abc import Sequence

import msgspec


class GiveUp(msgspec.Struct, frozen=True):
    """It will not live: ``starts`` of them ended within ``window_s`` seconds, or, when that is None, without having moved."""

    starts: int
    window_s: float | None


class RestartPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """A budget of starts in a sliding window, and one of starts in a row that moved no shard, however slowly they die.

    The first failure in a while is answered at once, since a quick restart under the same worker id is the fastest takeover
    there is; further ones wait, each twice as long as the one before.
    """

    budget: int = 5
    window_s: float = 60.0
    barren: int = 10
    """More than the budget: what ends so slowly may wait for a dependency, which some minutes may give back."""
    first_delay_s: float = 0.5
    longest_delay_s: float = 10.0

    def decide(self, starts: Sequence[float], now: float, barren: int = 0) -> float | GiveUp:
        """Seconds to wait until it is started again, after an unexpected end at ``now``.

        ``starts`` are the times of all starts so far, in seconds of the same clock.
        ``barren``: how many starts in a row, this one among them, moved no shard.
        """
        recent = sum(now - start < self.window_s for start in starts)
        if recent >= self.budget:
            return GiveUp(recent, self.window_s)
        if barren >= self.barren:
            return GiveUp(barren, None)
        failures = max(recent, barren)
        if failures <= 1:
            return 0.0
        return min(self.longest_delay_s, self.first_delay_s * 2.0 ** (failures - 2))
