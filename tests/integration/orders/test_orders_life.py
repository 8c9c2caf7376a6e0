"""From a purchase event to the customer's notification: a real KCL worker, real queues, functions in the embedded Lambda."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from clickstream.aws import Clients
from clickstream.consumers.fraud.needs import DECISIONS
from clickstream.consumers.orders.messages import Message, Order, Step
from clickstream.consumers.orders.needs import EVENTS, INVENTORY, NEEDS, ORDERS, QUEUES
from clickstream.consumers.orders.table import Inventory, OrdersTable
from clickstream.consumers.orders.topic import OrdersTopic
from clickstream.events import Item, Purchase
from clickstream.infra.local import functions, resources, roles
from clickstream.producers.publisher.kinesis import KinesisPublisher
from clickstream.purchases import fingerprint
from clickstream.settings import OrderWorkflow, Settings, environment
from tests.integration.drills.rig.workers import Worker
from tests.integration.orders.order_workflow import received

pytestmark = [
    pytest.mark.integration,
    pytest.mark.java,
    pytest.mark.timeout(420),
    pytest.mark.skipif(sys.platform != "linux", reason="finds a worker's processes through /proc"),
]

#: A function that a busy machine lets time out comes again a minute later.
_DEADLINE_S = 280.0
_ORDERS = 8
_ITEMS = 5
"""Fewer than orders: some are rejected."""


@pytest.fixture(params=["choreography", "orchestration"])
def shop(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> Settings:
    workflow: OrderWorkflow = request.param
    shop = msgspec.structs.replace(settings, local_dir=tmp_path, order_workflow=workflow)
    clients = Clients(shop)
    resources.create(clients, shop, shards=2)
    functions.deploy(clients, shop, NEEDS)
    return shop


@pytest.fixture
def worker(shop: Settings, tmp_path: Path) -> Iterator[Worker]:
    worker = Worker("orders", "1", environment(roles.prepared(shop, "orders")), tmp_path / "orders.log")
    worker.start()
    try:
        yield worker
    finally:
        worker.kill()


def wait_until(condition: Callable[[], Any], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.2)


def purchase(number: int) -> Purchase:
    return Purchase(
        event_id=f"e-{number}",
        user_id=f"u-{number}",
        session_id="s",
        occurred_at=1_764_000_000_000,
        order_id=f"o-{number}",
        items=(Item(product_id="the-last"),),
        amount=999,
        currency="EUR",
    )


def test_a_purchase_becomes_an_order_and_one_notification(
    shop: Settings, worker: Worker, capsys: pytest.CaptureFixture[str]
) -> None:
    clients = Clients(shop)
    table = OrdersTable(clients.dynamodb, ORDERS.of(shop), INVENTORY.of(shop))
    inventory = Inventory(clients.dynamodb, INVENTORY.of(shop))
    inventory.add({"the-last": _ITEMS})
    purchases = [purchase(number) for number in range(_ORDERS)]
    for number, event in enumerate(purchases):
        # every fourth is fraud
        verdict = "block" if number % 4 == 0 else "approve"
        item: dict[str, Any] = {
            "event_id": {"S": event.event_id},
            "purchase": {"S": fingerprint(event)},
            "verdict": {"S": verdict},
        }
        clients.dynamodb.put_item(TableName=DECISIONS.of(shop), Item=item)

    def orders() -> list[Any]:
        return clients.dynamodb.scan(TableName=ORDERS.of(shop), ConsistentRead=True)["Items"]

    def told() -> int:
        return sum(bool(order["notified"]["S"]) for order in orders())

    started = time.monotonic()
    with KinesisPublisher(shop) as publisher:
        for event in purchases + purchases:  # a producer's retries
            publisher.put(event)
    wait_until(lambda: told() == _ORDERS, lambda: f"{orders()}\n{worker.log.read_text()[-3000:]}")
    seconds = time.monotonic() - started

    # the topic tells of every order once more; a worker that died before its mark would do so
    topic = OrdersTopic(clients.sns, EVENTS.of(shop))
    for number in range(_ORDERS):
        order: Order = table.read(f"o-{number}").order
        topic.tell(Message(step=Step.PLACED, order=order))
    placed = clients.sqs.get_queue_url(QueueName=QUEUES["placed"].of(shop))["QueueUrl"]
    counts = clients.sqs.get_queue_attributes
    wait_until(
        lambda: (
            not any(
                int(count)
                for count in counts(
                    QueueUrl=placed, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
                )["Attributes"].values()
            )
        ),
        lambda: "messages are left",
    )

    steps = Counter(order["step"]["S"] for order in orders())
    notifications = received(clients, shop)
    with capsys.disabled():
        sys.stderr.write(f"\n{shop.order_workflow}: {_ORDERS} orders in {seconds:.1f} s, JVM start included: {dict(steps)}\n")
    assert steps["cancelled"] + steps["confirmed"] + steps["rejected"] == _ORDERS
    assert steps["cancelled"] + steps["confirmed"] >= _ITEMS
    assert inventory.available() == {"the-last": _ITEMS - steps["confirmed"]}
    assert Counter(each["order_id"] for each in notifications) == {f"o-{number}": 1 for number in range(_ORDERS)}
    assert {each["order_id"]: each["step"] for each in notifications} == {
        order["order_id"]["S"]: order["step"]["S"] for order in orders()
    }
