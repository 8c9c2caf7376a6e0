"""The shadow application of one candidate: ``consumers.fraud.shadow.wiring@VERSION`` for the runtime."""

from __future__ import annotations

from clickstream.aws import Clients
from clickstream.platform import MODELS
from clickstream.settings import Settings
from consumers.fraud import NAME
from consumers.fraud.decisions import Serving
from consumers.fraud.fold import FraudFold
from consumers.fraud.needs import DECISIONS, OUTCOMES
from consumers.fraud.outcomes_table import OutcomesTable
from consumers.fraud.shadow.sink import Opinions
from consumers.runtime.application import Application, Fold, Sink
from models.fraud import scoring
from models.fraud.purchases import PURCHASES
from models.registry.s3 import Registry


def name_of(version: str) -> str:
    """The application's name: each candidate has its own leases and its own state."""
    return f"{NAME}-shadow-{version}"


class Shadow:
    def __init__(self, version: str) -> None:
        self.name = name_of(version)
        self._version = version

    def open_fold(self, shard_id: str) -> Fold:
        return FraudFold()

    def open_sink(self, shard_id: str, clients: Clients, settings: Settings) -> Sink:
        registry = Registry(clients.s3, MODELS.of(settings))
        model = scoring.load(registry.load(scoring.MODEL, self._version), PURCHASES)
        return Opinions(
            clients.dynamodb,
            DECISIONS.of(settings),
            OutcomesTable(clients.dynamodb, OUTCOMES.of(settings)),
            Serving(model, self._version),
        )


def application(version: str) -> Application:
    return Shadow(version)
