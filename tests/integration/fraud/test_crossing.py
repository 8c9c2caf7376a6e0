"""A device that buys on two shards, through KCL's real worker: each purchase is decided with what the other shard saw."""

from __future__ import annotations

import time
import uuid

import pytest

from clickstream.consumers.fraud.crossing.freshness import STALENESS_MS
from clickstream.consumers.fraud.decisions import PARTIAL, Decision
from clickstream.consumers.fraud.needs import SIGHTINGS
from clickstream.events import Context, Item, Purchase
from clickstream.models.fraud.purchases import PURCHASES
from clickstream.producers.publisher.kinesis import KinesisPublisher
from tests.integration.fraud.application import Fraud
from tests.integration.resharding.platform import DEADLINE_S

pytestmark = [pytest.mark.integration, pytest.mark.java]

PURCHASES_MADE = 10
USERS = PURCHASES.names.index("users_by_device_24h")


def bought(user: str) -> Purchase:
    return Purchase(
        event_id=str(uuid.uuid4()),
        user_id=user,
        session_id=user,
        occurred_at=time.time_ns() // 1_000_000,
        context=Context(device="the ring's", ip=user, country="DE"),
        order_id=user,
        items=(Item(product_id="p"),),
        amount=5_000,
        currency="EUR",
        payment_fingerprint=user,
    )


def test_a_device_is_seen_across_shards_within_the_bound(fraud: Fraud) -> None:
    """Each purchase comes STALENESS_MS after the one before was decided: by then it must be known, or said to be missing."""
    waited: list[tuple[int, Decision]] = []
    with KinesisPublisher(fraud.settings) as publisher, fraud.worker("w1") as worker:
        for number in range(PURCHASES_MADE):
            event = bought(f"user-{number}")
            publisher.put(event)
            publisher.flush(DEADLINE_S)
            fraud.wait_for([event], worker)
            decision, _ = fraud.decided()[event.event_id]
            waited.append((number + 1, decision))
            time.sleep(STALENESS_MS / 1000)  # the bound itself
    assert len(parts(fraud)) == 2, "both shards have told of the device"
    known = [(users, decision) for users, decision in waited if not is_partial(decision)]
    assert [decision.vector[USERS] for _, decision in known] == [users for users, _ in known]
    assert len(known) >= PURCHASES_MADE // 2, "the first ones may come before both shards have an owner"


def is_partial(decision: Decision) -> bool:
    return PARTIAL.feature in [reason.feature for reason in decision.reasons]


def parts(fraud: Fraud) -> set[str]:
    """The shards that have a part of the device's history."""
    pages = fraud.clients.dynamodb.get_paginator("scan").paginate(TableName=SIGHTINGS.of(fraud.settings))
    items = [item for page in pages for item in page["Items"] if item["seen"]["S"].startswith("by_device.")]
    assert len(items) == 1
    return {name for name in items[0] if name.startswith("part:")}
