"""The analytics application, as the consumer runtime runs it."""

from clickstream.aws import Clients
from clickstream.settings import Settings
from consumers.analytics import NAME
from consumers.analytics.fold import AnalyticsFold
from consumers.analytics.needs import AGGREGATES
from consumers.analytics.sink import AggregatesTable
from consumers.runtime.application import Sink, Wiring


def _open_sink(_: str, clients: Clients, settings: Settings) -> Sink:
    return AggregatesTable(clients.dynamodb, AGGREGATES.of(settings))


APPLICATION = Wiring(NAME, AnalyticsFold, _open_sink)
