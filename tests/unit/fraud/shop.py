"""The fraud application's sink over moto, with what one wants to know of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from clickstream.aws import Clients
from clickstream.aws.topics import Topic
from clickstream.consumers.fraud.decisions import Decision
from clickstream.consumers.fraud.fold import Candidate, FraudFold
from clickstream.consumers.fraud.needs import ALERTS, DECISIONS, OUTCOMES, REVIEWS, SIGHTINGS
from clickstream.consumers.fraud.sink import DecisionsTable
from clickstream.consumers.fraud.views import Decisions
from clickstream.events import AnyEvent, Purchase
from clickstream.models.features.crossing import Part
from clickstream.models.features.definitions import FeatureSet
from clickstream.models.fraud import scoring
from clickstream.models.fraud.costs import Costs
from clickstream.models.fraud.offline import training
from clickstream.models.fraud.purchases import PURCHASES
from clickstream.models.fraud.scoring import FraudModel
from clickstream.models.registry.following import Followed
from clickstream.models.registry.manifest import Description, Training
from clickstream.models.registry.s3 import Registry
from clickstream.platform import MODELS, SHARDS
from clickstream.records.position import Position
from clickstream.settings import Settings
from tests.unit.fraud.shopping import START_MS

SETTINGS = Settings()
AT = Position(1, 0)


def create(clients: Clients) -> None:
    """What ``clickstream local start`` makes, as far as fraud needs it."""
    for table, *keys in (
        (DECISIONS.of(SETTINGS), "event_id"),
        (OUTCOMES.of(SETTINGS), "window", "part"),
        (SIGHTINGS.of(SETTINGS), "seen"),
        (SHARDS.of(SETTINGS), "application", "shard"),
    ):
        kinds: Any = ("HASH", "RANGE")
        clients.dynamodb.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, kinds, strict=False)],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            BillingMode="PAY_PER_REQUEST",
        )
    clients.s3.create_bucket(Bucket=MODELS.of(SETTINGS))
    clients.sqs.create_queue(QueueName=REVIEWS.of(SETTINGS))
    topic = clients.sns.create_topic(Name=ALERTS.of(SETTINGS))["TopicArn"]
    queue = f"arn:aws:sqs:{SETTINGS.region}:123456789012:{REVIEWS.of(SETTINGS)}"
    clients.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})


class Clock:
    def __init__(self) -> None:
        self.now_s = START_MS / 1000

    def __call__(self) -> float:
        return self.now_s


class Shop:
    """A sink over moto."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self.clock = Clock()
        self.set_back_s = 0.0
        """By how much the wall clock was set back; a monotonic clock does not notice."""
        self.registry = Registry(clients.s3, MODELS.of(SETTINGS))
        self.sink = self.open_sink()
        self.decisions = Decisions(
            clients, SETTINGS, lambda: int(self.clock.now_s * 1000), lambda: self.clock.now_s + self.set_back_s
        )

    @property
    def now_ms(self) -> int:
        return int(self.clock() * 1000)

    def open_sink(self, alerts: Topic | None = None, shard: str = "shardId-000000000000") -> DecisionsTable:
        followed: Followed[FraudModel] = Followed(self.registry, scoring.MODEL, partial(scoring.load, features=PURCHASES))
        # one thread: moto checks a condition and writes in two steps, so that two threads may both pass it; DynamoDB does both
        # at once
        threads = ThreadPoolExecutor(1)
        return DecisionsTable(self.clients, SETTINGS, shard, followed, alerts=alerts, clock_s=self.clock, executor=threads)

    def of(self, event: Purchase) -> Decision:
        decision = self.decisions.of(event.event_id)
        assert decision is not None
        return decision

    def alerts(self) -> list[dict[str, Any]]:
        """What the alerts' queue has got since the last call."""
        url = self.clients.sqs.get_queue_url(QueueName=REVIEWS.of(SETTINGS))["QueueUrl"]
        told = []
        while messages := self.clients.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                told.append(json.loads(message["Body"]))
                self.clients.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return told

    def publish(self, files: dict[str, bytes], *, promote: bool = True) -> str:
        description = Description(training=Training(source="test", from_ms=0, to_ms=0, rows=1, sha256=""))
        now_ms = int(self.clock.now_s * 1000)
        version = self.registry.publish(scoring.MODEL, files, description, now_ms=now_ms).version
        if promote:
            self.registry.promote(scoring.MODEL, version, now_ms=now_ms)
        return version


def effects(*events: AnyEvent) -> Sequence[Candidate | Part]:
    """What a fresh fold makes of these events."""
    fold = FraudFold()
    fold.apply(events)
    return fold.effects(flush=True)


def files_of(features: FeatureSet, seed: int) -> dict[str, bytes]:
    """A model that takes dear purchases for frauds."""
    chance = np.random.default_rng(seed)
    table = pd.DataFrame({name: chance.normal(size=1_500) for name in features.names})
    table["amount"] = chance.lognormal(8, 1, len(table))
    fraud = table["amount"] > 12_000
    trained = training.train(table, fraud, pd.Series(np.arange(len(table))), features, Costs(), seed=seed)
    return scoring.encode(trained.card, trained.trees)
