"""A real KCL worker under its role: a replay takes paths that a first run does not, and a permission comes and goes.

Both the JVM and the shards' processes sign with the role's key; see docs/reference/local-aws.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from clickstream.aws import Clients
from clickstream.consumers.orders.needs import ORDERS
from clickstream.events import Item, Purchase
from clickstream.identifiers import uuid7
from clickstream.infra.local import resources, roles, stack
from clickstream.infra.local.gate.faults import Fault
from clickstream.platform import SHARDS
from clickstream.producers.publisher.kinesis import KinesisPublisher
from clickstream.settings import Settings, environment
from tests.integration.drills.rig.workers import Worker

pytestmark = [pytest.mark.integration, pytest.mark.java]

DEADLINE_S = 90.0


@pytest.fixture
def shop(settings: Settings) -> Settings:
    resources.create(Clients(settings), settings, shards=1)
    return settings


@pytest.fixture
def worker(shop: Settings, tmp_path: Path) -> Iterator[Worker]:
    worker = Worker("orders", "1", environment(roles.prepared(shop, "orders")), tmp_path / "orders.log")
    worker.start()
    yield worker
    worker.kill()


def _until(condition: Callable[[], bool], worker: Worker) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, worker.log.read_text()[-4000:]
        time.sleep(0.1)


def _buy(shop: Settings, *orders: str) -> None:
    now_ms = time.time_ns() // 1_000_000
    with KinesisPublisher(shop) as publisher:
        for number, order in enumerate(orders):
            publisher.put(
                Purchase(
                    event_id=uuid7(now_ms, number),
                    user_id="u1",
                    session_id="s1",
                    occurred_at=now_ms,
                    order_id=order,
                    items=(Item(product_id="p1", quantity=1, price=500),),
                    amount=500,
                    currency="EUR",
                    payment_fingerprint="card",
                )
            )


def _told(clients: Clients, shop: Settings) -> set[str]:
    """Orders that were placed and told of."""
    items = clients.dynamodb.scan(TableName=ORDERS.of(shop), ConsistentRead=True)["Items"]
    return {item["order_id"]["S"] for item in items if item["told"]["S"] == "sent"}


def _folded(clients: Clients, shop: Settings) -> int:
    """Events in the shard's commit."""
    items = clients.dynamodb.scan(TableName=SHARDS.of(shop), ConsistentRead=True)["Items"]
    return sum(int(item["events"]["N"]) for item in items if "events" in item)


def _forget(clients: Clients, table: str, keys: Sequence[str]) -> None:
    for item in clients.dynamodb.scan(TableName=table, ConsistentRead=True)["Items"]:
        clients.dynamodb.delete_item(TableName=table, Key={name: item[name] for name in keys})


def test_a_replay_meets_what_was_placed_before_and_goes_on(shop: Settings, worker: Worker, local_aws: stack.Stack) -> None:
    """The role had no GetItem on its table: ``place`` reads after a refused put, so every replay waited for ever."""
    clients = Clients(shop)
    _buy(shop, "o-1", "o-2")
    _until(lambda: _told(clients, shop) == {"o-1", "o-2"}, worker)
    worker.kill()
    _forget(clients, SHARDS.of(shop), ("application", "shard"))
    _forget(clients, shop.application("orders"), ("leaseKey",))
    worker.start()
    _until(lambda: _folded(clients, shop) == 2, worker)
    assert _told(clients, shop) == {"o-1", "o-2"}
    assert local_aws.controls.denied(shop.name) == []


def test_a_permission_that_is_taken_away_loses_nothing_and_comes_back(
    shop: Settings, worker: Worker, local_aws: stack.Stack
) -> None:
    clients = Clients(shop)
    _buy(shop, "o-1")
    _until(lambda: _told(clients, shop) == {"o-1"}, worker)
    taken = Fault(
        "denied",
        who=roles.access_key(shop.name, "orders"),
        action="dynamodb:PutItem",
        resource=f"dynamodb:table/{ORDERS.of(shop)}",
    )
    with local_aws.controls.during(taken):
        _buy(shop, "o-2")
        _until(lambda: "dynamodb:PutItem on resource" in worker.log.read_text(), worker)
        assert _told(clients, shop) == {"o-1"}
    _until(lambda: _told(clients, shop) == {"o-1", "o-2"}, worker)
    assert worker.is_running
