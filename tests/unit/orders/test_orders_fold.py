"""Purchases in, orders out."""

from __future__ import annotations

from clickstream.consumers.orders.fold import OrdersFold
from clickstream.consumers.orders.messages import Line
from clickstream.events import Item, Login, Purchase


def test_a_purchase_is_an_order_with_each_product_once() -> None:
    fold = OrdersFold()
    items = (Item(product_id="b", quantity=1), Item(product_id="a", quantity=2), Item(product_id="b", quantity=3))
    fold.apply(
        [
            Login(event_id="e0", user_id="u", session_id="s", occurred_at=1),
            Purchase(
                event_id="e1", user_id="u", session_id="s", occurred_at=2, order_id="o", items=items, amount=5, currency="EUR"
            ),
        ]
    )
    (order,) = fold.effects(flush=False)
    assert (order.order_id, order.event_id, order.user_id, order.occurred_at) == ("o", "e1", "u", 2)
    assert order.lines == (Line(product_id="a", quantity=2), Line(product_id="b", quantity=4))
    assert fold.effects(flush=True) == []
