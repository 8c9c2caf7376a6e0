"""When a part of ``clickstream up`` that ended is started again: a decision as a value, the time as an argument."""

from __future__ import annotations

from collections.abc import Sequence

BUDGET = 3
WINDOW_SECONDS = 300.0
_FIRST_DELAY_SECONDS = 1.0


def delay(ends: Sequence[float], now: float) -> float | None:
    """Seconds until the next start after the last of these ends; None: it ends again and again, so something is wrong with it.

    The first end is answered at once: somebody killed it. Each further one waits twice as long as the one before.
    """
    recent = sum(now - end < WINDOW_SECONDS for end in ends)
    if recent > BUDGET:
        return None
    return 0.0 if recent <= 1 else _FIRST_DELAY_SECONDS * 2.0 ** (recent - 2)
