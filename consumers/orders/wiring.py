"""The orders application, as the consumer runtime runs it."""

from clickstream.application import Wiring
from clickstream.consumers.orders import NAME
from clickstream.consumers.orders.fold import OrdersFold
from clickstream.consumers.orders.needs import EVENTS
from clickstream.consumers.orders.sink import PlacedOrders
from clickstream.consumers.orders.table import OrdersTable
from clickstream.consumers.orders.topic import OrdersTopic

APPLICATION = Wiring(
    NAME,
    lambda _: OrdersFold(),
    lambda _, clients, settings: PlacedOrders(OrdersTable.of(clients, settings), OrdersTopic(clients.sns, EVENTS.of(settings))),
)
