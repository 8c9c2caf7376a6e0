"""The records of a run, in order: visitors' events, with faults and hostile clients among them. Pure and seeded."""

from __future__ import annotations

from clickstream.events import AnyEvent
from clickstream.load.traffic.faults import MALFORMED, Emission, Faults, Rates, Spoilers
from clickstream.load.traffic.hostility import Hostiles
from clickstream.load.traffic.shop.visitors import ORDINARY, Season, Shop, Visitors


class Traffic:
    """One run's records. Call ``emit`` once per arrival."""

    def __init__(
        self,
        seed: int,
        shop: Shop,
        rates: Rates,
        season: Season = ORDINARY,
        malformed: Spoilers = MALFORMED,
        hostiles: Hostiles | None = None,
    ) -> None:
        self.visitors = Visitors(seed, shop, season)
        self._faults = Faults(seed + shop.first_visitor, rates, malformed)
        self._hostiles = hostiles
        self._latest: AnyEvent | None = None

    def emit(self, at_ms: int) -> Emission:
        """The record to be sent at a time (milliseconds since the epoch)."""
        faults, visitors = self._faults, self.visitors
        if self._hostiles is not None and (hostile := self._hostiles.emit(at_ms, self._latest)) is not None:
            return hostile
        emission = faults.due(at_ms) or faults.retry()
        while emission is None:
            event = visitors.next_event(at_ms)
            emission = faults.spoil(event, visitors.adversary, at_ms)
        self._latest = emission.event
        return emission
