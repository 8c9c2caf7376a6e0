"""The analytics application, as the consumer runtime runs it."""

from clickstream.application import Sink, Wiring
from clickstream.aws import Clients
from clickstream.consumers.analytics import NAME
from clickstream.consumers.analytics.fold import AnalyticsFold
from clickstream.consumers.analytics.needs import AGGREGATES
from clickstream.consumers.analytics.sink import AggregatesTable
from clickstream.settings import Settings


def _open_sink(_: str, clients: Clients, settings: Settings) -> Sink:
    return AggregatesTable(clients.dynamodb, AGGREGATES.of(settings))


APPLICATION = Wiring(NAME, AnalyticsFold, _open_sink)
