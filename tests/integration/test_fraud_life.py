"""Fraud through KCL's real worker: promotions, a rollback, a kill -9 and a split under load; every purchase decided once.

The oracle for the features is one engine over all events in one process: what crashes, splits and commits did to the state must
not show in a single bit of any vector.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from clickstream.events import AnyEvent, Purchase
from clickstream.settings import environment
from consumers.fraud import NAME
from consumers.fraud.decisions import RULES_VERSION, Decision
from consumers.fraud.items import SENT, decision_of
from consumers.fraud.views import Verdict
from infra.local import resources
from load import progress
from load.adversaries import Labelled, history
from models.features.engine import Engine
from models.fraud import scoring, training
from models.fraud.costs import Costs
from models.fraud.purchases import PURCHASES
from models.fraud.rows import ROWS
from models.registry.following import LOOK_EVERY_MS
from models.registry.manifest import Description, Training
from models.registry.s3 import Registry
from producers.kinesis import KinesisPublisher
from tests.integration.publisher.stream import split_first
from tests.integration.resharding.platform import DEADLINE_S, Platform

pytestmark = [pytest.mark.integration, pytest.mark.java]

START_MS = 1_788_220_800_000


@pytest.fixture(scope="module")
def shop() -> Labelled:
    return history(21, people=400, days=30, start_ms=START_MS)


@pytest.fixture(scope="module")
def vectors(shop: Labelled) -> dict[str, tuple[float, ...]]:
    """By event id, from one engine that nothing happens to."""
    engine = Engine(PURCHASES, durable=False)
    found = {}
    for event in shop.events:
        if (make := ROWS.get(type(event))) is not None:
            vector = engine.vector(*_placed(make(event), event))
            if isinstance(event, Purchase):
                found[event.event_id] = tuple(vector)
    return found


def _placed(made: tuple[str, Any], event: AnyEvent) -> tuple[str, int, Any]:
    kind, row = made
    return kind, event.occurred_at, row


class Fraud:
    """The fraud application on a stream, and what it has decided."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.clients = platform.clients
        self.settings = platform.settings
        self.registry = Registry(self.clients.s3, self.settings.models_bucket)
        self._clock_ms = START_MS

    @contextmanager
    def worker(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        with self.platform.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "clickstream.cli", "worker", "fraud", "-w", name],
                env=environment(self.settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def decided(self) -> dict[str, tuple[Decision, str]]:
        """Decisions and their alert's state, by event id."""
        pages = self.clients.dynamodb.get_paginator("scan").paginate(
            TableName=self.settings.decisions_table, ConsistentRead=True
        )
        found = {}
        for page in pages:
            for item in page["Items"]:
                found[item["event_id"]["S"]] = (decision_of(item), item.get("alert", {"S": ""})["S"])
        return found

    def counted(self) -> tuple[int, int]:
        """Shards, and events folded in their commits."""
        shards = progress.read(self.clients.dynamodb, self.settings, NAME)
        return len(shards), sum(shard.events for shard in shards)

    def wait_for(self, events: Sequence[AnyEvent], worker: subprocess.Popen[bytes]) -> None:
        wanted = {event.event_id for event in events if isinstance(event, Purchase)}
        self.platform.wait_until(lambda: wanted <= self.decided().keys(), f"{len(wanted)} decisions", worker)

    def publish(self, files: dict[str, bytes]) -> str:
        self._clock_ms += 1_000
        description = Description(training=Training(source="test", from_ms=0, to_ms=0, rows=1, sha256=""))
        version = self.registry.publish(scoring.MODEL, files, description, now_ms=self._clock_ms).version
        self.registry.promote(scoring.MODEL, version, now_ms=self._clock_ms)
        return version

    def alerts(self) -> list[str]:
        """Event ids, once per message."""
        url = self.clients.sqs.get_queue_url(QueueName=self.settings.alerts_queue)["QueueUrl"]
        told = []
        while messages := self.clients.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                told.append(json.loads(message["Body"])["event_id"])
                self.clients.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return told


@pytest.fixture
def fraud(settings: Any, tmp_path: Path) -> Fraud:
    platform = Platform(settings, tmp_path)
    resources.create(platform.clients, settings, shards=2)
    return Fraud(platform)


def model_files(shop: Labelled, vectors: dict[str, tuple[float, ...]], seed: int) -> dict[str, bytes]:
    """Two seeds, two versions: the second sees every other purchase."""
    purchases = [event for event in shop.events if isinstance(event, Purchase)][:: 1 + seed]
    rows = pd.DataFrame([vectors[event.event_id] for event in purchases], columns=list(PURCHASES.names))
    frauds = pd.Series([event.event_id in shop.frauds for event in purchases])
    users = pd.Series([event.user_id for event in purchases])
    trained = training.train(rows, frauds, users, PURCHASES, Costs(), seed=seed)
    return scoring.encode(trained.card, trained.trees)


def test_every_purchase_is_decided_once_by_the_version_that_served(
    fraud: Fraud, shop: Labelled, vectors: dict[str, tuple[float, ...]]
) -> None:
    fifth = len(shop.events) // 5
    parts = [shop.events[n * fifth : (n + 1) * fifth if n < 4 else None] for n in range(5)]
    first, second = (model_files(shop, vectors, seed) for seed in (0, 1))
    with KinesisPublisher(fraud.settings) as publisher:

        def put(events: Sequence[AnyEvent]) -> None:
            for event in events:
                publisher.put(event)
            publisher.flush(DEADLINE_S)

        with fraud.worker("w1") as worker:
            put(parts[0])
            fraud.wait_for(parts[0], worker)
            v1 = fraud.publish(first)
            _wait_for_version(fraud, v1, parts[1], put, worker)
            put(parts[2][: fifth // 2])
        # killed in the middle, with commits in flight
        with fraud.worker("w2") as worker:
            put(parts[2][fifth // 2 :])
            fraud.wait_for(parts[2], worker)
            split_first(fraud.clients.kinesis, fraud.settings.stream)
            v2 = fraud.publish(second)
            _wait_for_version(fraud, v2, parts[3], put, worker)
            back = fraud.registry.rollback(scoring.MODEL, now_ms=0).version
            _wait_for_version(fraud, back, parts[4], put, worker)
            fraud.platform.wait_until(lambda: fraud.counted() == (4, len(shop.events)), "all events are committed", worker)
    assert back == v1 != v2

    decided = fraud.decided()
    assert {event_id: repr(decision.vector) for event_id, (decision, _) in decided.items()} == {
        event_id: repr(vector) for event_id, vector in vectors.items()
    }
    versions = [decision.model_version for decision, _ in decided.values()]
    assert set(versions) == {RULES_VERSION, v1, v2}
    # each score is what its version makes of the vector
    models = {v1: scoring.decode(first), v2: scoring.decode(second)}
    for decision, _ in decided.values():
        if decision.model_version in models:
            row = pd.DataFrame([decision.vector]).to_numpy()
            assert decision.score == models[decision.model_version].score(row)[0]
    alarms = {event_id for event_id, (decision, _) in decided.items() if decision.verdict is not Verdict.APPROVE}
    assert alarms
    assert {event_id for event_id, (_, alert) in decided.items() if alert == SENT} == alarms
    told = fraud.alerts()
    assert set(told) == alarms
    assert len(told) - len(alarms) <= 2, "only the kill may repeat what it cut off between topic and mark"


def _wait_for_version(
    fraud: Fraud, version: str, events: Sequence[AnyEvent], put: Any, worker: subprocess.Popen[bytes]
) -> None:
    """Put events by and by, until the version decides; then the rest of them."""
    step = max(len(events) // 40, 1)
    steps = iter([events[n : n + step] for n in range(0, len(events), step)])
    for some in steps:
        put(some)
        fraud.wait_for(some, worker)
        bought = [event.event_id for event in some if isinstance(event, Purchase)]
        if bought and all(fraud.decided()[event_id][0].model_version == version for event_id in bought):
            break
    else:
        pytest.fail(f"{version} was not seen within {LOOK_EVERY_MS} ms and {len(events)} events")
    for some in steps:
        put(some)
    fraud.wait_for(events, worker)
