"""What is known of a visitor: the items of the live visit, and what was bought lately. Pure.

Times are the shard's watermark (ms), the latest event time that it has seen, so an event that comes late belongs to the visit
that is going on. Every rule is evaluated per event: no result depends on when memory is reclaimed.
"""

import msgspec

from clickstream.events import AddToCart, AnyEvent, ProductView, Purchase, RemoveFromCart, Search
from clickstream.models.recommender.queries import query_item

#: After so long without a product, a visit has ended and the next one begins with nothing.
VISIT_GAP_MS = 30 * 60_000
#: Items of a visit that are remembered: the last ones.
MOST_ITEMS = 20
#: What was bought is not offered again for so long.
BOUGHT_KEPT_MS = 30 * 24 * 3_600_000
#: Bought items that are remembered: the last ones.
MOST_BOUGHT = 100

#: Bytes that an entry costs, roughly and not too few, beside its text; and a visitor.
_ENTRY_BYTES, _VISITOR_BYTES = 200, 600

VIEWED, CARTED, REMOVED, BOUGHT, SEARCHED = 1.0, 2.0, 0.5, 1.5, 1.0
"""How much an item says about a visitor who did that with it; a search is an item too (``models.recommender.queries``)."""


class Bought(msgspec.Struct, array_like=True, gc=False):
    """A product that a visitor has: ``at``: the last order, ``orders``: how many there were lately."""

    at: int
    category: str
    orders: int


class Visitor(msgspec.Struct, array_like=True, gc=False):
    """``items``: item → weight, in order of the last touch; ``seen``: of the last product event; ``size``: what it costs in
    memory (bytes), as told by the entries and their texts alone: it is state, and the same on every machine."""

    user_id: str
    seen: int
    items: dict[str, float]
    bought: dict[str, Bought]
    size: int

    def view(self, product: str, watermark: int) -> None:
        """Most events are views: ``follow``, short."""
        items = self.items
        self._come(watermark)
        weight = items.pop(product, 0.0)
        if not weight:
            self.size += _bytes(product)
        items[product] = weight if weight > VIEWED else VIEWED
        if len(items) > MOST_ITEMS:
            self._keep_last_items()

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
                self.size += _bytes(category) + (_bytes(product) if before is None else -_bytes(before.category))
                self.bought[product] = Bought(watermark, category, 1 if before is None else before.orders + 1)
            while len(self.bought) > MOST_BOUGHT:
                self._unbuy(next(iter(self.bought)))
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
        if self.items and watermark - self.seen > VISIT_GAP_MS:
            self.size -= sum(map(_bytes, self.items))
            self.items.clear()
        if self.bought:
            self._forget_bought(watermark)
        self.seen = watermark

    def _touch(self, item: str, weight: float) -> None:
        if self.items.pop(item, None) is None:
            self.size += _bytes(item)
        self.items[item] = weight
        self._keep_last_items()

    def _keep_last_items(self) -> None:
        while len(self.items) > MOST_ITEMS:
            oldest = next(iter(self.items))
            del self.items[oldest]
            self.size -= _bytes(oldest)

    def _forget_bought(self, watermark: int) -> None:
        for item in [item for item, bought in self.bought.items() if watermark - bought.at > BOUGHT_KEPT_MS]:
            self._unbuy(item)

    def _unbuy(self, item: str) -> None:
        self.size -= _bytes(item) + _bytes(self.bought.pop(item).category)


def stranger(user_id: str, watermark: int) -> Visitor:
    return Visitor(user_id, watermark, {}, {}, _VISITOR_BYTES + _bytes(user_id))


def _bytes(text: str) -> int:
    """Of an entry. Text that is not ASCII has up to four bytes for each character."""
    return _ENTRY_BYTES + len(text) * (1 if text.isascii() else 4)
