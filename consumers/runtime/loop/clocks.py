"""The clocks of one shard's process; tests turn theirs by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Clocks(NamedTuple):
    wall_ms: Callable[[], int]
    """Milliseconds since the epoch."""
    monotonic_s: Callable[[], float]
    servers: Callable[[], tuple[int, float] | None]
    """(an AWS server's clock in ms, ``monotonic_s``) at its last answer."""

    def interval_ms(self) -> int:
        """For intervals, which a wall clock that is set back must not lengthen."""
        return int(self.monotonic_s() * 1000)
