"""The fraud application, as the consumer runtime runs it."""

from __future__ import annotations

from functools import partial

from clickstream.aws import Clients
from clickstream.settings import Settings
from consumers.fraud import NAME
from consumers.fraud.crossing.freshness import OtherShards
from consumers.fraud.crossing.sightings import SightingsTable
from consumers.fraud.fold import FraudFold
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
        registry = Registry(clients.s3, settings.models_bucket)
        followed = Followed(registry, scoring.MODEL, partial(scoring.load, features=PURCHASES))
        shards = OtherShards(clients, settings, NAME, shard_id)
        return DecisionsTable(
            clients.dynamodb,
            settings.decisions_table,
            Alerts(clients.sns, settings.alerts_topic),
            OutcomesTable(clients.dynamodb, settings.outcomes_table),
            SightingsTable(clients.dynamodb, settings.sightings_table, shard_id, ended=lambda: shards.ended),
            shards,
            followed,
        )


APPLICATION: Application = Fraud()
