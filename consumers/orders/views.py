"""The read model: one order, as the shop's back office asks for it."""

from __future__ import annotations

from clickstream.aws import Clients
from clickstream.purchases import reused
from clickstream.settings import Settings
from consumers.orders.messages import Line, Order, Step
from consumers.orders.needs import INVENTORY, ORDERS
from consumers.orders.table import Inventory, OrdersTable, Stored

__all__ = ["Inventory", "Line", "Order", "Step", "Stored", "inventory", "order", "refused"]


def order(clients: Clients, settings: Settings, order_id: str) -> Stored:
    """Where an order stands. Raises Missing when there is none, RetryLater."""
    return OrdersTable(clients.dynamodb, ORDERS.of(settings), INVENTORY.of(settings)).read(order_id)


def refused(clients: Clients, settings: Settings, stood: Stored) -> list[Stored]:
    """Orders that were refused because this one has their id."""
    table = OrdersTable(clients.dynamodb, ORDERS.of(settings), INVENTORY.of(settings))
    return [table.read(reused(stood.order.order_id, purchase)) for purchase in stood.refused]


def inventory(clients: Clients, settings: Settings) -> Inventory:
    return Inventory(clients.dynamodb, INVENTORY.of(settings))
