"""The orders application, as the consumer runtime runs it."""

from clickstream.aws import Clients
from clickstream.settings import Settings
from consumers.orders import NAME
from consumers.orders.fold import OrdersFold
from consumers.orders.needs import EVENTS, INVENTORY, ORDERS
from consumers.orders.sink import PlacedOrders
from consumers.orders.table import OrdersTable
from consumers.orders.topic import OrdersTopic
from consumers.runtime.application import Application, Fold, Sink


class Orders:
    name = NAME

    def open_fold(self, shard_id: str) -> Fold:
        return OrdersFold()

    def open_sink(self, shard_id: str, clients: Clients, settings: Settings) -> Sink:
        table = OrdersTable(clients.dynamodb, ORDERS.of(settings), INVENTORY.of(settings))
        return PlacedOrders(table, OrdersTopic(clients.sns, EVENTS.of(settings)))


APPLICATION: Application = Orders()
