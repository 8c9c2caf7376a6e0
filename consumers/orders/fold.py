"""Orders as a fold over one shard: purchases in, placed orders out. Pure; it needs no state but what is not written yet."""

from collections import Counter
from collections.abc import Sequence

from clickstream.application import Inheritance
from clickstream.consumers.orders.messages import Line, Order
from clickstream.events import AnyEvent, Purchase
from clickstream.purchases import facts


class OrdersFold:
    """See ``clickstream.application.Fold``; its effects are :class:`Order`.

    An order that is in no effect yet is in no commit either: a commit carries all that was folded before it.
    """

    def __init__(self) -> None:
        self._placed: list[Order] = []

    def apply(self, events: Sequence[AnyEvent]) -> None:
        self._placed += [_order(event) for event in events if isinstance(event, Purchase)]

    def effects(self, *, flush: bool) -> Sequence[Order]:
        placed, self._placed = self._placed, []
        return placed

    def changes(self) -> bytes:
        return b""

    def snapshot(self) -> bytes:
        return b""

    def restore(self, state: bytes, inheritance: Inheritance | None) -> None:
        return


def _order(purchase: Purchase) -> Order:
    quantities: Counter[str] = Counter()
    for item in purchase.items:
        quantities[item.product_id] += item.quantity
    lines = tuple(Line(product_id=product, quantity=quantity) for product, quantity in sorted(quantities.items()))
    return Order(**facts(purchase), lines=lines)
