"""The analytics application, as the consumer runtime runs it."""

from clickstream.aws import Clients
from clickstream.settings import Settings
from consumers.analytics import NAME
from consumers.analytics.fold import AnalyticsFold
from consumers.analytics.needs import AGGREGATES
from consumers.analytics.sink import AggregatesTable
from consumers.runtime.application import Application, Fold, Sink


class Analytics:
    name = NAME

    def open_fold(self, shard_id: str) -> Fold:
        return AnalyticsFold(shard_id)

    def open_sink(self, shard_id: str, clients: Clients, settings: Settings) -> Sink:
        return AggregatesTable(clients.dynamodb, AGGREGATES.of(settings))


APPLICATION: Application = Analytics()
