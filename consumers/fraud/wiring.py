"""The fraud application, as the consumer runtime runs it."""

from __future__ import annotations

from functools import partial

from clickstream.aws import Clients
from clickstream.platform import MODELS
from clickstream.settings import Settings
from consumers.fraud import NAME
from consumers.fraud.crossing.freshness import OtherShards
from consumers.fraud.crossing.sightings import SightingsTable
from consumers.fraud.fold import FraudFold
from consumers.fraud.needs import ALERTS, DECISIONS, OUTCOMES, SIGHTINGS
from consumers.fraud.outcomes_table import OutcomesTable
from consumers.fraud.sink import Alerts, DecisionsTable
from consumers.runtime.application import Application, Fold, Sink
from models.fraud import scoring
from models.fraud.purchases import PURCHASES
from models.registry.following import Followed
from models.registry.s3 import Registry


class Fraud:
    name = NAME

    def open_fold(self, shard_id: str) -> Fold:
        return FraudFold()

    def open_sink(self, shard_id: str, clients: Clients, settings: Settings) -> Sink:
        registry = Registry(clients.s3, MODELS.of(settings))
        followed = Followed(registry, scoring.MODEL, partial(scoring.load, features=PURCHASES))
        shards = OtherShards(clients, settings, NAME, shard_id)
        return DecisionsTable(
            clients.dynamodb,
            DECISIONS.of(settings),
            Alerts(clients.sns, ALERTS.of(settings)),
            OutcomesTable(clients.dynamodb, OUTCOMES.of(settings)),
            SightingsTable(clients.dynamodb, SIGHTINGS.of(settings), shard_id, ended=lambda: shards.ended),
            shards,
            followed,
        )


APPLICATION: Application = Fraud()
