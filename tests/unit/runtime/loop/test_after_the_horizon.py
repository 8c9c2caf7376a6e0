"""The same event id again when the duplicates' horizon has passed, from the shard's records to fraud's and orders' stores.

The loop takes it for a new event then, as it must; what the stores hold decides what becomes of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from moto import mock_aws

from clickstream.application import Application, Fold, Sink
from clickstream.aws import Clients
from clickstream.consumers.fraud import wiring as fraud
from clickstream.consumers.fraud.needs import REVIEWS
from clickstream.consumers.fraud.views import Decisions, Source, Verdict
from clickstream.consumers.orders import wiring as orders
from clickstream.consumers.orders.needs import INVENTORY, ORDERS, QUEUES
from clickstream.consumers.orders.table import OrdersTable
from clickstream.consumers.runtime.loop.duplicates import GENERATION_MS
from clickstream.events import Item, Purchase
from clickstream.infra.local import resources
from clickstream.load.simulation.aws.memory import MemoryStore
from clickstream.load.simulation.fleet.shard_process import Clock, RecordingCheckpointer, deliver, record, shard_loop
from clickstream.records.routing import WHOLE_SPACE, Shard
from clickstream.settings import Settings

ONLY = Shard(shard_id="shardId-0", hash_range=WHOLE_SPACE)
BEGAN_MS = 1_796_000_000_000
HOUR_MS = 3_600_000
HARMLESS = Purchase(
    event_id="e", user_id="ann", session_id="s", occurred_at=BEGAN_MS, order_id="o", items=(Item(product_id="p", price=100),),
    amount=100, currency="EUR",
)  # fmt: skip
DEAR = msgspec.structs.replace(HARMLESS, user_id="mallory", amount=10**9)


class Over:
    """An application of the platform over these stores."""

    def __init__(self, application: Application, clients: Clients) -> None:
        self.name = application.name
        self._application = application
        self._clients = clients

    def open_fold(self, shard_id: str) -> Fold:
        return self._application.open_fold(shard_id)

    def open_sink(self, shard_id: str, clients: Any, settings: Any) -> Sink:
        return self._application.open_sink(shard_id, self._clients, Settings())


class Shard0:
    """Both applications on one shard; each delivery is by a new process, which has the last one's state."""

    def __init__(self, clients: Clients) -> None:
        self._applications = [(Over(each, clients), MemoryStore("w")) for each in (fraud.APPLICATION, orders.APPLICATION)]
        self._clock = Clock(BEGAN_MS)
        self._sequence = 0
        self.folded = 0

    def gets(self, event: Purchase, after_ms: int) -> None:
        self._sequence += 1
        self._clock.now_ms = BEGAN_MS + after_ms
        for application, store in self._applications:
            loop = shard_loop(application, [ONLY], store, clock=self._clock)
            loop.initialize(ONLY.shard_id, "TRIM_HORIZON", 0)
            deliver(loop, RecordingCheckpointer(), record(event, self._sequence, arrived_ms=self._clock.now_ms))
            self.folded = store.items[ONLY.shard_id].progress.events


@pytest.fixture
def clients() -> Iterator[Clients]:
    with mock_aws():
        clients = Clients(Settings())
        resources.create(clients, Settings(), shards=1)
        yield clients


def messages(clients: Clients, queue: str) -> list[Any]:
    url = clients.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    found = clients.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in found]


@pytest.mark.parametrize("after_ms", [2 * GENERATION_MS, HOUR_MS, 24 * HOUR_MS])
def test_the_same_purchase_is_decided_and_placed_once(clients: Clients, after_ms: int) -> None:
    shard = Shard0(clients)
    shard.gets(HARMLESS, 0)
    first = Decisions(clients, Settings()).of("e")
    shard.gets(HARMLESS, after_ms)
    assert shard.folded == 2, "the duplicates' memory has forgotten it"
    decisions = Decisions(clients, Settings())
    assert repr(decisions.of("e")) == repr(first)
    assert decisions.others("e") == []
    assert table(clients).read("o").refused == ()
    assert len(messages(clients, QUEUES["placed"].of(Settings()))) == 1


@pytest.mark.parametrize("after_ms", [0, GENERATION_MS, HOUR_MS, 24 * HOUR_MS])
@pytest.mark.parametrize("other", [DEAR, msgspec.structs.replace(DEAR, user_id="ann")], ids=["another user", "the same user"])
def test_another_purchase_under_the_id_passes_for_neither(clients: Clients, other: Purchase, after_ms: int) -> None:
    """What a harmless purchase was approved for; of the same user it is a repetition within the horizon."""
    shard = Shard0(clients)
    shard.gets(HARMLESS, 0)
    first = Decisions(clients, Settings()).of("e")
    for again in (0, 1):  # and once more: nothing is told twice
        shard.gets(other, after_ms + again * HOUR_MS)
    decisions = Decisions(clients, Settings())
    assert repr(decisions.of("e")) == repr(first)
    (decision,) = decisions.others("e")
    assert (decision.user_id, decision.amount, decision.verdict) == (other.user_id, other.amount, Verdict.REVIEW)
    assert decision.source is Source.RULES
    assert [(told["user_id"], told["amount"]) for told in messages(clients, REVIEWS.of(Settings()))] == [
        (other.user_id, other.amount)
    ]
    stood = table(clients).read("o")
    assert (stood.order.user_id, stood.order.amount) == ("ann", 100)
    assert len(stood.refused) == 1
    assert len(messages(clients, QUEUES["placed"].of(Settings()))) == 1


def table(clients: Clients) -> OrdersTable:
    return OrdersTable(clients.dynamodb, ORDERS.of(Settings()), INVENTORY.of(Settings()))
