"""The analytics application, as the consumer runtime runs it."""

from clickstream.application import Wiring
from clickstream.consumers.analytics import NAME
from clickstream.consumers.analytics.fold import AnalyticsFold
from clickstream.consumers.analytics.needs import AGGREGATES
from clickstream.consumers.analytics.sink import AggregatesTable

APPLICATION = Wiring(
    NAME, AnalyticsFold, lambda _, clients, settings: AggregatesTable(clients.dynamodb, AGGREGATES.of(settings))
)
