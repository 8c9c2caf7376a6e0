"""Orders for tests."""

from __future__ import annotations

from clickstream.consumers.orders.messages import Line, Order


def order(number: object, *lines: tuple[str, int]) -> Order:
    return Order(
        order_id=f"o-{number}",
        event_id=f"e-{number}",
        user_id="u",
        occurred_at=1_764_000_000_000,
        amount=1_999,
        currency="EUR",
        lines=tuple(Line(product_id=product, quantity=quantity) for product, quantity in lines),
    )
