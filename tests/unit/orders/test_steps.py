"""Every step, in every order, any number of times: it happens once, and nothing is ever below zero."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from clickstream.aws import Clients
from clickstream.consumers.fraud.needs import DECISIONS
from clickstream.consumers.orders.messages import Order, Step
from clickstream.consumers.orders.needs import EVENTS, INVENTORY, NOTIFICATIONS_QUEUE, ORDERS, QUEUES
from clickstream.consumers.orders.sink import PlacedOrders
from clickstream.consumers.orders.steps import DecisionPending, Steps, steps
from clickstream.consumers.orders.table import MOST_PRODUCTS, Inventory, OrdersTable
from clickstream.consumers.orders.topic import OrdersTopic
from clickstream.errors import Missing
from clickstream.infra.local import resources
from clickstream.records.position import START
from clickstream.settings import Settings
from tests.unit.orders.shop import order


class Shop:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clients = Clients(settings)
        self.table = OrdersTable(self.clients.dynamodb, ORDERS.of(settings), INVENTORY.of(settings), sleep=lambda _s: None)
        self.inventory = Inventory(self.clients.dynamodb, INVENTORY.of(settings))
        self.steps: Steps = steps(self.clients, settings)

    def place(self, *orders: Order) -> None:
        PlacedOrders(self.table, OrdersTopic(self.clients.sns, EVENTS.of(self.settings))).write(orders, START)

    def decide(self, order: Order, verdict: str) -> None:
        item: dict[str, Any] = {"event_id": {"S": order.event_id}, "purchase": {"S": order.purchase}, "verdict": {"S": verdict}}
        self.clients.dynamodb.put_item(TableName=DECISIONS.of(self.settings), Item=item)

    def messages(self, queue: str) -> list[dict[str, Any]]:
        """What waits there, taken out."""
        sqs = self.clients.sqs
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        found = []
        while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(message["Body"]) for message in batch]
            for message in batch:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found


@pytest.fixture
def shop() -> Iterator[Shop]:
    with mock_aws():
        settings = Settings()
        resources.create(Clients(settings), settings, shards=1)
        yield Shop(settings)


def test_an_order_takes_its_goods_once(shop: Shop) -> None:
    shop.inventory.add({"a": 5, "b": 2})
    one = order(1, ("a", 2), ("b", 2))
    shop.place(one)
    for _ in range(3):
        assert shop.steps.reserve(one).step is Step.RESERVED
    assert shop.inventory.available() == {"a": 3, "b": 0}


def test_all_goods_or_none(shop: Shop) -> None:
    shop.inventory.add({"a": 5, "b": 1})
    one = order(1, ("a", 2), ("b", 2), ("unknown", 1))
    shop.place(one)
    outcome = shop.steps.reserve(one)
    assert (outcome.step, outcome.reason) == (Step.REJECTED, "sold out: b, unknown")
    assert shop.inventory.available() == {"a": 5, "b": 1}
    # a delivery in between does not revive it: its customer may have been told
    shop.inventory.add({"b": 9, "unknown": 9})
    assert shop.steps.reserve(one).step is Step.REJECTED


def test_more_products_than_one_transaction_takes(shop: Shop) -> None:
    many = order(1, *((f"p{n}", 1) for n in range(MOST_PRODUCTS + 1)))
    most = order(2, *((f"p{n}", 1) for n in range(MOST_PRODUCTS)))
    shop.inventory.add({f"p{n}": 1 for n in range(MOST_PRODUCTS)})
    shop.place(many, most)
    assert shop.steps.reserve(many).reason == "over 99 products"
    assert shop.steps.reserve(most).step is Step.RESERVED


@pytest.mark.parametrize(
    ("verdict", "step", "left"), [("approve", "confirmed", 3), ("review", "confirmed", 3), ("block", "cancelled", 5)]
)
def test_fraud_decides(shop: Shop, verdict: str, step: str, left: int) -> None:
    shop.inventory.add({"a": 5})
    one = order(1, ("a", 2))
    shop.place(one)
    shop.steps.reserve(one)
    with pytest.raises(DecisionPending):
        shop.steps.confirm(one)
    shop.decide(one, verdict)
    for _ in range(3):
        assert shop.steps.confirm(one).step.value == step
    assert shop.inventory.available() == {"a": left}


def test_releasing_gives_back_what_was_taken_and_no_more(shop: Shop) -> None:
    shop.inventory.add({"a": 5})
    placed, reserved, confirmed, rejected = orders = [order(n, ("a", 1)) for n in range(3)] + [order(3, ("a", 9))]
    shop.place(*orders)
    for each in (reserved, confirmed, rejected):
        shop.steps.reserve(each)
    shop.decide(confirmed, "approve")
    shop.steps.confirm(confirmed)
    assert shop.inventory.available() == {"a": 3}
    for _ in range(2):
        assert [shop.steps.release(each, "why").step for each in (placed, reserved, confirmed)] == [Step.CANCELLED] * 3
        assert shop.steps.release(rejected, "why").step is Step.REJECTED
    assert shop.inventory.available() == {"a": 5}
    # a step that comes late changes nothing
    assert shop.steps.reserve(placed).step is Step.CANCELLED
    assert shop.steps.confirm(reserved).step is Step.CANCELLED
    assert shop.inventory.available() == {"a": 5}


def test_a_customer_is_told_once_per_step(shop: Shop) -> None:
    shop.inventory.add({"a": 1})
    one = order(1, ("a", 1))
    shop.place(one)
    shop.steps.reserve(one)
    shop.decide(one, "approve")
    shop.steps.confirm(one)
    for _ in range(3):
        shop.steps.notify(one)
    assert [told["step"] for told in shop.messages(NOTIFICATIONS_QUEUE.of(shop.settings))] == ["confirmed"]
    shop.steps.release(one, "by hand")
    for _ in range(2):
        shop.steps.notify(one)
    assert [told["step"] for told in shop.messages(NOTIFICATIONS_QUEUE.of(shop.settings))] == ["cancelled"]


def test_a_replayed_purchase_is_placed_once(shop: Shop) -> None:
    one = order(1, ("a", 1))
    for _ in range(3):
        shop.place(one)
    assert [told["order"]["order_id"] for told in shop.messages(QUEUES["placed"].of(shop.settings))] == ["o-1"]


def test_a_placing_that_was_not_told_is_told_by_the_next_owner(shop: Shop) -> None:
    one = order(1, ("a", 1))
    shop.table.place(one, 0)  # and then the worker died
    assert shop.messages(QUEUES["placed"].of(shop.settings)) == []
    shop.place(one)
    assert len(shop.messages(QUEUES["placed"].of(shop.settings))) == 1


def test_another_purchase_with_the_same_order_id_is_no_order(shop: Shop) -> None:
    one = order(1, ("a", 1))
    other = Order(**{name: getattr(one, name) for name in one.__struct_fields__} | {"event_id": "e-other", "user_id": "thief"})
    shop.place(one)
    shop.place(other)
    assert shop.table.read("o-1").order == one
    assert len(shop.messages(QUEUES["placed"].of(shop.settings))) == 1


def test_an_order_that_nobody_placed(shop: Shop) -> None:
    with pytest.raises(Missing):
        shop.steps.reserve(order(1, ("a", 1)))
