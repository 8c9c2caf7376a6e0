"""When to send: intended times as numbers, and one loop that waits for them on a monotonic clock."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

MAX_SPEED = float("inf")


class Pace(msgspec.Struct, frozen=True):
    """Original times stretched: ``speed`` times as quick as it happened; ``MAX_SPEED`` is at once."""

    speed: float = MAX_SPEED

    def offset_s(self, first_ms: int, at_ms: int) -> float:
        """Seconds after the start at which to send what happened at ``at_ms``; at once if before the first."""
        return max(0, at_ms - first_ms) / 1000 / self.speed


def now_ms() -> int:
    """The wall clock, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def wait_until(when: float, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], object] = time.sleep) -> None:
    """Return at a time of the monotonic clock, or at once when it has passed: a late sender never slows the schedule.

    A ``sleep`` that ends early (an event's ``wait``) ends the waiting.
    """
    left = when - clock()
    if left > 0:
        sleep(left)
