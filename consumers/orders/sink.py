"""Placed orders into the orders table (DynamoDB), the first purchase of an order id for ever; then to the topic (SNS).

The table is the topic's outbox, as it is for fraud's alerts: an order is written with ``told`` pending, then the topic is told,
then the order is marked. Whoever writes it again after a crash in between completes it. A crash between the topic and the mark
tells it twice; the workflow knows an order by its id, so nothing happens twice. Another purchase under the same order id is
kept as refused, and never told.
"""

import time
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

import structlog

from clickstream.consumers.orders.messages import Message, Order, Step
from clickstream.consumers.orders.table import PENDING, OrdersTable
from clickstream.consumers.orders.topic import OrdersTopic
from clickstream.failures.fan_out import write_each
from clickstream.records.position import Position

THREADS = 8

log = structlog.get_logger()


class PlacedOrders:
    """See ``clickstream.application.Sink``; its effects are :class:`Order`."""

    def __init__(self, table: OrdersTable, topic: OrdersTopic, *, executor: Executor | None = None) -> None:
        self._table = table
        self._topic = topic
        self._threads = executor or ThreadPoolExecutor(THREADS, thread_name_prefix="orders")

    def write(self, effects: Sequence[Order], position: Position) -> None:
        """Raises RetryLater or Unwritable when any order could not be placed; the others are, and stay as they are."""
        by_id: dict[str, list[Order]] = {}
        for order in effects:
            by_id.setdefault(order.order_id, []).append(order)
        # side by side but for those of one id: the first in the shard's order is to have it, whatever fails meanwhile
        write_each(self._threads, self._place, by_id.values())

    def _place(self, orders: Sequence[Order]) -> None:
        now_s = int(time.time())
        for order in orders:
            stored = self._table.place(order, now_s)
            if not order.repeats(stored.order):
                # by mistake or by intent; whoever has the id keeps it, and hears nothing of this
                log.warning("an order id was used before", order_id=order.order_id, by=stored.order.event_id)
                self._table.refuse(order, now_s)
            elif stored.told == PENDING:
                self._topic.tell(Message(step=Step.PLACED, order=stored.order))
                self._table.mark_told(order.order_id)
