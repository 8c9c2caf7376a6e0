"""The order that one event has placed."""

from __future__ import annotations

from typing import Any

import msgspec

from clickstream.aws import Clients
from clickstream.events import AnyEvent, Purchase
from clickstream.purchases import fingerprint, reused
from clickstream.settings import Settings
from consumers.explain.effects import item
from consumers.orders.needs import ORDERS
from consumers.orders.table import stored


def order(clients: Clients, settings: Settings, event: AnyEvent | None) -> dict[str, Any] | None:
    """The order that a purchase has placed: ids, amount in minor units, lines, and how far it has come.

    None for other events, and while no order workflow runs or has come to it.
    """
    if not isinstance(event, Purchase):
        return None
    kept = item(clients, ORDERS.of(settings), {"order_id": {"S": event.order_id}})
    if kept is None:
        return None
    found = stored(kept)
    if (purchase := fingerprint(event)) != found.order.purchase:
        # the id is another order's: this one was refused
        kept = item(clients, ORDERS.of(settings), {"order_id": {"S": reused(event.order_id, purchase)}})
        if kept is None:
            return None
        found = stored(kept)
    placed = found.order
    return {
        "order_id": placed.order_id,
        "event_id": placed.event_id,
        "amount": placed.amount,
        "currency": placed.currency,
        "lines": msgspec.to_builtins(placed.lines),
        "step": found.step.value,
        "reason": found.reason,
        "told": found.told,
        "notified": found.notified,
    }
