"""The read model: one order, as the shop's back office asks for it, or as a purchase has placed it."""

from typing import Any

import msgspec

from clickstream.aws import Clients
from clickstream.consumers.explain.effects import item
from clickstream.consumers.orders.messages import Line, Order, Step
from clickstream.consumers.orders.needs import INVENTORY, ORDERS
from clickstream.consumers.orders.table import Inventory, OrdersTable, Stored, stored
from clickstream.events import AnyEvent, Purchase
from clickstream.purchases import fingerprint, reused
from clickstream.settings import Settings

__all__ = ["Inventory", "Line", "Order", "Step", "Stored", "inventory", "order", "placed_by", "placing", "refused"]


def order(clients: Clients, settings: Settings, order_id: str) -> Stored:
    """Where an order stands. Raises Missing when there is none, RetryLater."""
    return OrdersTable.of(clients, settings).read(order_id)


def refused(clients: Clients, settings: Settings, stood: Stored) -> list[Stored]:
    """Orders that were refused because this one has their id."""
    table = OrdersTable.of(clients, settings)
    return [table.read(reused(stood.order.order_id, purchase)) for purchase in stood.refused]


def placing(clients: Clients, settings: Settings, order_id: str) -> Order | None:
    """An order as its purchase placed it; None while no workflow has come to it."""
    kept = item(clients, ORDERS.of(settings), {"order_id": {"S": order_id}})
    return None if kept is None else stored(kept).order


def inventory(clients: Clients, settings: Settings) -> Inventory:
    return Inventory(clients.dynamodb, INVENTORY.of(settings))


def placed_by(event: AnyEvent | None, clients: Clients, settings: Settings) -> dict[str, Any] | None:
    """The order that a purchase has placed: ids, amount in minor units, lines, and how far it has come.

    None for other events, and while no order workflow runs or has come to it.
    """
    if not isinstance(event, Purchase):
        return None
    purchase = fingerprint(event)
    # under the second key if the id is another order's: then this one was refused
    for key in (event.order_id, reused(event.order_id, purchase)):
        kept = item(clients, ORDERS.of(settings), {"order_id": {"S": key}})
        if kept is None:
            return None
        found = stored(kept)
        if found.order.purchase == purchase:
            break
    whole = msgspec.to_builtins(found)
    placed = {name: whole["order"][name] for name in ("order_id", "event_id", "amount", "currency", "lines")}
    return placed | {name: whole[name] for name in ("step", "reason", "told", "notified")}
