"""Of purchases with one order id the first has it, however the threads take turns and whatever fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from typing import Any

import msgspec
import pytest
from moto import mock_aws

from clickstream.aws import Clients
from clickstream.consumers.orders.messages import Order
from clickstream.consumers.orders.needs import EVENTS, INVENTORY, ORDERS
from clickstream.consumers.orders.sink import PlacedOrders
from clickstream.consumers.orders.table import OrdersTable, Stored
from clickstream.consumers.orders.topic import OrdersTopic
from clickstream.errors import RetryLater
from clickstream.infra.local import resources
from clickstream.records.position import START
from clickstream.settings import Settings
from tests.unit.orders.shop import order


class LastFirst(Executor):
    """The worst of threads: what was submitted last runs first, once anybody asks for a result."""

    def __init__(self) -> None:
        self._waiting: list[Callable[[], None]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = _Asked(self)
        self._waiting.append(lambda: _run(future, lambda: fn(*args, **kwargs)))
        return future

    def run(self) -> None:
        while self._waiting:
            self._waiting.pop()()


class _Asked(Future[Any]):
    def __init__(self, executor: LastFirst) -> None:
        super().__init__()
        self._executor = executor

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._executor.run()
        return super().exception(timeout)


def _run(future: Future[Any], work: Callable[[], Any]) -> None:
    try:
        future.set_result(work())
    except RetryLater as error:
        future.set_exception(error)


class DownFor(OrdersTable):
    """Cannot place the orders of these events."""

    event_ids: frozenset[str] = frozenset()

    def place(self, order: Order, now_s: int) -> Stored:
        if order.event_id in self.event_ids:
            raise RetryLater("DynamoDB does not answer")
        return super().place(order, now_s)


@pytest.fixture
def clients() -> Iterator[Clients]:
    with mock_aws():
        clients = Clients(Settings())
        resources.create(clients, Settings(), shards=1)
        yield clients


@pytest.fixture
def table(clients: Clients) -> DownFor:
    settings = Settings()
    return DownFor(clients.dynamodb, ORDERS.of(settings), INVENTORY.of(settings))


@pytest.fixture
def sink(clients: Clients, table: DownFor) -> PlacedOrders:
    return PlacedOrders(table, OrdersTopic(clients.sns, EVENTS.of(Settings())), executor=LastFirst())


def test_the_first_purchase_has_the_order_id(sink: PlacedOrders, table: DownFor) -> None:
    first, other = order(1, ("a", 1)), order(2, ("a", 1))
    sink.write([first, other, msgspec.structs.replace(first, event_id="again")], START)
    assert table.read(first.order_id).order.event_id == first.event_id
    assert table.read(other.order_id).order.event_id == other.event_id


def test_it_has_it_also_when_it_could_not_be_placed_at_once(sink: PlacedOrders, table: DownFor) -> None:
    first, other = order(1, ("a", 1)), order(2, ("a", 1))
    effects = [first, msgspec.structs.replace(first, event_id="again"), other]
    table.event_ids = frozenset([first.event_id])
    with pytest.raises(RetryLater):
        sink.write(effects, START)
    assert table.read(other.order_id).order.event_id == other.event_id
    table.event_ids = frozenset()
    sink.write(effects, START)
    assert table.read(first.order_id).order.event_id == first.event_id
