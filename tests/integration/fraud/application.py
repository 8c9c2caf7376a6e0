"""The fraud application on a stream of two shards: its worker, its registry, and what it has decided."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pandas as pd

from clickstream.consumers.fraud import NAME
from clickstream.consumers.fraud.decisions import Decision
from clickstream.consumers.fraud.items import decision_of
from clickstream.consumers.fraud.needs import DECISIONS, REVIEWS
from clickstream.events import AnyEvent, Purchase
from clickstream.infra.local import roles
from clickstream.load.traffic.history.adversaries import Labelled
from clickstream.load.verdict import progress
from clickstream.models.features.engine import Engine
from clickstream.models.fraud import scoring
from clickstream.models.fraud.costs import Costs
from clickstream.models.fraud.offline import training
from clickstream.models.fraud.purchases import PURCHASES
from clickstream.models.fraud.rows import ROWS
from clickstream.models.registry.manifest import Description, Training
from clickstream.models.registry.s3 import Registry
from clickstream.platform import MODELS
from clickstream.settings import environment
from tests.integration.resharding.platform import Platform

START_MS = 1_788_220_800_000


class Fraud:
    """The fraud application on a stream, and what it has decided."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.clients = platform.clients
        self.settings = platform.settings
        self.registry = Registry(self.clients.s3, MODELS.of(self.settings))
        self._clock_ms = START_MS

    @contextmanager
    def worker(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        with self.platform.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "clickstream.cli", "worker", "fraud", "-w", name],
                env=environment(roles.prepared(self.settings, "fraud")),
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
        pages = self.clients.dynamodb.get_paginator("scan").paginate(TableName=DECISIONS.of(self.settings), ConsistentRead=True)
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
        url = self.clients.sqs.get_queue_url(QueueName=REVIEWS.of(self.settings))["QueueUrl"]
        told = []
        while messages := self.clients.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                told.append(json.loads(message["Body"])["event_id"])
                self.clients.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return told


def vectors_of(events: Sequence[AnyEvent]) -> dict[str, tuple[float, ...]]:
    """By event id, from one engine over all shards' events, to which nothing happens."""
    engine = Engine(PURCHASES, durable=False)
    found = {}
    for event in events:
        if (make := ROWS.get(type(event))) is not None:
            kind, row = make(event)
            vector = engine.vector(kind, event.occurred_at, row)
            if isinstance(event, Purchase):
                found[event.event_id] = tuple(vector)
    return found


def model_files(shop: Labelled, vectors: Mapping[str, tuple[float, ...]], seed: int) -> dict[str, bytes]:
    """Two seeds, two versions: the second sees every other purchase."""
    purchases = [event for event in shop.events if isinstance(event, Purchase)][:: 1 + seed]
    rows = pd.DataFrame([vectors[event.event_id] for event in purchases], columns=list(PURCHASES.names))
    frauds = pd.Series([event.event_id in shop.frauds for event in purchases])
    users = pd.Series([event.user_id for event in purchases])
    trained = training.train(rows, frauds, users, PURCHASES, Costs(), seed=seed)
    return scoring.encode(trained.card, trained.trees)
