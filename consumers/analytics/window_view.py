"""One window's answer, as readers get it."""

from __future__ import annotations

import msgspec

from consumers.analytics.counting.uniques import Estimate
from consumers.analytics.ranking import Top


class Funnel(msgspec.Struct, frozen=True):
    """Unique sessions that viewed a product; that added to the cart after a view; that purchased after that."""

    view: int
    cart: int
    purchase: int


class WindowView(msgspec.Struct, frozen=True, kw_only=True):
    """One window's answer. ``revenue`` in minor units by currency; ``tops`` by the names of ``partial.TALLIES``."""

    granularity: str
    start_ms: int
    end_ms: int
    counts: dict[str, int]
    """Events by type."""
    orders: int
    revenue: dict[str, int]
    uniques: Estimate
    funnel: Funnel
    tops: dict[str, Top]

    @property
    def products(self) -> list[tuple[str, int]]:
        """The most viewed."""
        return self.tops["products"].entries

    @property
    def categories(self) -> list[tuple[str, int]]:
        """Those of the most viewed products."""
        return self.tops["categories"].entries

    @property
    def searches(self) -> list[tuple[str, int]]:
        """The most frequent normalised queries."""
        return self.tops["searches"].entries
