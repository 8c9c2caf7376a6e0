"""The fraud application, as the consumer runtime runs it."""

from clickstream.application import Sink, Wiring
from clickstream.aws import Clients
from clickstream.consumers.fraud import NAME
from clickstream.consumers.fraud.fold import FraudFold
from clickstream.consumers.fraud.sink import DecisionsTable
from clickstream.models.fraud import scoring
from clickstream.models.fraud.purchases import PURCHASES
from clickstream.models.registry.following import Followed
from clickstream.models.registry.s3 import Registry
from clickstream.platform import MODELS
from clickstream.settings import Settings


def _open_sink(shard_id: str, clients: Clients, settings: Settings) -> Sink:
    registry = Registry(clients.s3, MODELS.of(settings))
    followed = Followed(registry, scoring.MODEL, lambda version: scoring.load(version, PURCHASES))
    return DecisionsTable(clients, settings, shard_id, followed)


APPLICATION = Wiring(NAME, lambda _: FraudFold(), _open_sink)
