"""The orders application, as the consumer runtime runs it."""

from clickstream.aws import Clients
from clickstream.settings import Settings
from consumers.orders import NAME
from consumers.orders.fold import OrdersFold
from consumers.orders.needs import EVENTS, INVENTORY, ORDERS
from consumers.orders.sink import PlacedOrders
from consumers.orders.table import OrdersTable
from consumers.orders.topic import OrdersTopic
from consumers.runtime.application import Sink, Wiring


def _open_sink(_: str, clients: Clients, settings: Settings) -> Sink:
    table = OrdersTable(clients.dynamodb, ORDERS.of(settings), INVENTORY.of(settings))
    return PlacedOrders(table, OrdersTopic(clients.sns, EVENTS.of(settings)))


APPLICATION = Wiring(NAME, lambda _: OrdersFold(), _open_sink)
