"""The orders application, as the consumer runtime runs it."""

from clickstream.application import Sink, Wiring
from clickstream.aws import Clients
from clickstream.consumers.orders import NAME
from clickstream.consumers.orders.fold import OrdersFold
from clickstream.consumers.orders.needs import EVENTS, INVENTORY, ORDERS
from clickstream.consumers.orders.sink import PlacedOrders
from clickstream.consumers.orders.table import OrdersTable
from clickstream.consumers.orders.topic import OrdersTopic
from clickstream.settings import Settings


def _open_sink(_: str, clients: Clients, settings: Settings) -> Sink:
    table = OrdersTable(clients.dynamodb, ORDERS.of(settings), INVENTORY.of(settings))
    return PlacedOrders(table, OrdersTopic(clients.sns, EVENTS.of(settings)))


APPLICATION = Wiring(NAME, lambda _: OrdersFold(), _open_sink)
