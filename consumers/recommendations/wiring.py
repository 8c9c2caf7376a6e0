"""The recommendations application, as the consumer runtime runs it."""

from clickstream.aws import Clients
from clickstream.platform import MODELS
from clickstream.settings import Settings
from consumers.recommendations import NAME
from consumers.recommendations.fold import RecommendationsFold
from consumers.recommendations.needs import OFFERS
from consumers.recommendations.sink import RecommendationsTable
from consumers.runtime.application import Sink, Wiring
from models import recommender
from models.recommender.model import decode
from models.registry.following import Followed
from models.registry.s3 import Registry


def _open_sink(shard_id: str, clients: Clients, settings: Settings) -> Sink:
    model = Followed(Registry(clients.s3, MODELS.of(settings)), recommender.NAME, decode)
    return RecommendationsTable(
        clients.dynamodb, OFFERS.of(settings), shard_id, model, consumables=settings.consumable_categories
    )


APPLICATION = Wiring(NAME, lambda _: RecommendationsFold(), _open_sink)
