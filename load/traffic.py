"""Everything a run sends, in order: visitors' events, faults among them. Pure and seeded."""

from __future__ import annotations

from load.arrivals import arrivals
from load.faults import MALFORMED, Emission, Faults, Rates, Spoilers
from load.generator import ORDINARY, Season, Shop, Visitors

__all__ = ["Traffic", "arrivals"]


class Traffic:
    """One run's records. Call ``emit`` once per arrival."""

    def __init__(self, seed: int, shop: Shop, rates: Rates, season: Season = ORDINARY, malformed: Spoilers = MALFORMED) -> None:
        self.visitors = Visitors(seed, shop, season)
        self._faults = Faults(seed + shop.first_visitor, rates, malformed)

    def emit(self, at_ms: int) -> Emission:
        """The record to be sent at a time (milliseconds since the epoch)."""
        faults, visitors = self._faults, self.visitors
        emission = faults.due(at_ms) or faults.retry()
        while emission is None:
            event = visitors.next_event(at_ms)
            emission = faults.spoil(event, visitors.adversary, at_ms)
        return emission
