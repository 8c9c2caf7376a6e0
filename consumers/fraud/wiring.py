"""The fraud application, as the consumer runtime runs it."""

from functools import partial

from clickstream.aws import Clients
from clickstream.platform import MODELS
from clickstream.settings import Settings
from consumers.fraud import NAME
from consumers.fraud.fold import FraudFold
from consumers.fraud.sink import DecisionsTable
from consumers.runtime.application import Sink, Wiring
from models.fraud import scoring
from models.fraud.purchases import PURCHASES
from models.registry.following import Followed
from models.registry.s3 import Registry


def _open_sink(shard_id: str, clients: Clients, settings: Settings) -> Sink:
    registry = Registry(clients.s3, MODELS.of(settings))
    followed = Followed(registry, scoring.MODEL, partial(scoring.load, features=PURCHASES))
    return DecisionsTable(clients, settings, shard_id, followed)


APPLICATION = Wiring(NAME, lambda _: FraudFold(), _open_sink)
