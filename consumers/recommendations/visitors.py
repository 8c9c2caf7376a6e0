"""What is known of a visitor: the items of the live visit, and what was bought lately. Pure.

Times are the shard's watermark (ms), the latest event time that it has seen, so an event that comes late belongs to the visit
that is going on. Every rule is evaluated per event: no result depends on when memory is reclaimed.
"""

from __future__ import annotations

import msgspec

from clickstream.events import AddToCart, AnyEvent, ProductView, Purchase, RemoveFromCart, Search
from models.recommender.queries import query_item

#: After so long without a product, a visit has ended and the next one begins with nothing.
VISIT_GAP_MS = 30 * 60_000
#: Items of a visit that are remembered: the last ones.
MOST_ITEMS = 20
#: What was bought is not offered again for so long.
BOUGHT_KEPT_MS = 30 * 24 * 3_600_000
#: Bought items that are remembered: the last ones.
MOST_BOUGHT = 100

VIEWED, CARTED, REMOVED, BOUGHT, SEARCHED = 1.0, 2.0, 0.5, 1.5, 1.0
"""How much an item says about a visitor who did that with it; a search is an item too (``models.recommender.queries``)."""


class Bought(msgspec.Struct, array_like=True, gc=False):
    """A product that a visitor has: ``at``: the last order, ``orders``: how many there were lately."""

    at: int
    category: str
    orders: int


class Visitor(msgspec.Struct, array_like=True, gc=False):
    """``items``: item → weight, in order of the last touch; ``seen``: of the last product event."""

    user_id: str
    seen: int
    items: dict[str, float]
    bought: dict[str, Bought]

    def view(self, product: str, watermark: int) -> None:
        """Most events are views: ``follow``, short."""
        items = self.items
        if watermark - self.seen > VISIT_GAP_MS:
            items.clear()
        self.seen = watermark
        if self.bought:
            self._forget_bought(watermark)
        weight = items.pop(product, VIEWED)
        items[product] = weight if weight > VIEWED else VIEWED
        if len(items) > MOST_ITEMS:
            _keep_last(items, MOST_ITEMS)

    def follow(self, event: AnyEvent, watermark: int) -> str | None:
        """Take in an event of this visitor; the product that was clicked, None if none was."""
        if isinstance(event, ProductView):
            self.view(event.product_id, watermark)
            return event.product_id
        self._come(watermark)
        if isinstance(event, AddToCart):
            self._touch(event.product_id, CARTED)
            return event.product_id
        if isinstance(event, RemoveFromCart):
            self._touch(event.product_id, REMOVED)
        elif isinstance(event, Search):
            if (query := query_item(event.query)) is not None:
                self._touch(query, SEARCHED)
        elif isinstance(event, Purchase):
            for product, category in {item.product_id: item.category for item in event.items}.items():
                self._touch(product, BOUGHT)
                before = self.bought.pop(product, None)
                self.bought[product] = Bought(watermark, category, 1 if before is None else before.orders + 1)
            _keep_last(self.bought, MOST_BOUGHT)
        return None

    @property
    def has(self) -> dict[str, str]:
        """What need not be offered: product → category. What was ordered more than once lately is used up and wanted again."""
        return {product: bought.category for product, bought in self.bought.items() if bought.orders == 1}

    def is_forgotten(self, watermark: int) -> bool:
        """Whether the next event would find nothing here that a stranger has not."""
        last_bought = max((bought.at for bought in self.bought.values()), default=None)
        return watermark - self.seen > VISIT_GAP_MS and (last_bought is None or watermark - last_bought > BOUGHT_KEPT_MS)

    def _come(self, watermark: int) -> None:
        if watermark - self.seen > VISIT_GAP_MS:
            self.items.clear()
        if self.bought:
            self._forget_bought(watermark)
        self.seen = watermark

    def _touch(self, item: str, weight: float) -> None:
        self.items.pop(item, None)
        self.items[item] = weight
        _keep_last(self.items, MOST_ITEMS)

    def _forget_bought(self, watermark: int) -> None:
        for item in [item for item, bought in self.bought.items() if watermark - bought.at > BOUGHT_KEPT_MS]:
            del self.bought[item]


def stranger(user_id: str, watermark: int) -> Visitor:
    return Visitor(user_id, watermark, {}, {})


def _keep_last(entries: dict[str, float] | dict[str, Bought], most: int) -> None:
    while len(entries) > most:
        del entries[next(iter(entries))]
