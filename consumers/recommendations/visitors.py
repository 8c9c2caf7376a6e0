"""What is known of a visitor: the items of the live visit, and what was bought lately. Pure.

Times are the shard's watermark (ms), the latest event time that it has seen, so an event that comes late belongs to the visit
that is going on. Every rule is evaluated per event: no result depends on when memory is reclaimed.
"""

from __future__ import annotations

import msgspec

from clickstream.events import AddToCart, AnyEvent, ProductView, Purchase, RemoveFromCart

#: After so long without a product, a visit has ended and the next one begins with nothing.
VISIT_GAP_MS = 30 * 60_000
#: Items of a visit that are remembered: the last ones.
MOST_ITEMS = 20
#: What was bought is not offered again for so long.
BOUGHT_KEPT_MS = 30 * 24 * 3_600_000
#: Bought items that are remembered: the last ones.
MOST_BOUGHT = 100

VIEWED, CARTED, REMOVED, BOUGHT = 1.0, 2.0, 0.5, 1.5
"""How much an item says about a visitor who did that with it."""


class Visitor(msgspec.Struct, array_like=True, gc=False):
    """``items``: item → weight, in order of the last touch; ``bought``: item → when; ``seen``: of the last product event."""

    user_id: str
    seen: int
    items: dict[str, float]
    bought: dict[str, int]

    def follow(self, event: AnyEvent, watermark: int) -> str | None:
        """Take in an event of this visitor; the product that was clicked, None if none was."""
        if watermark - self.seen > VISIT_GAP_MS:
            self.items.clear()
        if self.bought:
            self._forget_bought(watermark)
        self.seen = watermark
        if isinstance(event, ProductView):
            self._touch(event.product_id, max(VIEWED, self.items.get(event.product_id, 0.0)))
            return event.product_id
        if isinstance(event, AddToCart):
            self._touch(event.product_id, CARTED)
            return event.product_id
        if isinstance(event, RemoveFromCart):
            self._touch(event.product_id, REMOVED)
        elif isinstance(event, Purchase):
            for item in event.items:
                self._touch(item.product_id, BOUGHT)
                self.bought.pop(item.product_id, None)
                self.bought[item.product_id] = watermark
            _keep_last(self.bought, MOST_BOUGHT)
        return None

    def is_forgotten(self, watermark: int) -> bool:
        """Whether the next event would find nothing here that a stranger has not."""
        last_bought = max(self.bought.values(), default=None)
        return watermark - self.seen > VISIT_GAP_MS and (last_bought is None or watermark - last_bought > BOUGHT_KEPT_MS)

    def _touch(self, item: str, weight: float) -> None:
        self.items.pop(item, None)
        self.items[item] = weight
        _keep_last(self.items, MOST_ITEMS)

    def _forget_bought(self, watermark: int) -> None:
        for item in [item for item, at in self.bought.items() if watermark - at > BOUGHT_KEPT_MS]:
            del self.bought[item]


def stranger(user_id: str, watermark: int) -> Visitor:
    return Visitor(user_id, watermark, {}, {})


def _keep_last(entries: dict[str, float] | dict[str, int], most: int) -> None:
    while len(entries) > most:
        del entries[next(iter(entries))]
