"""The recommendations application, as the consumer runtime runs it."""

from clickstream.platform import MODELS
from consumers.recommendations import NAME
from consumers.recommendations.fold import RecommendationsFold
from consumers.recommendations.needs import OFFERS
from consumers.recommendations.sink import RecommendationsTable
from consumers.runtime.application import Wiring
from models import recommender
from models.recommender.model import decode
from models.registry.following import Followed
from models.registry.s3 import Registry

APPLICATION = Wiring(
    NAME,
    lambda _: RecommendationsFold(),
    lambda shard_id, clients, settings: RecommendationsTable(
        clients.dynamodb,
        OFFERS.of(settings),
        shard_id,
        Followed(Registry(clients.s3, MODELS.of(settings)), recommender.NAME, decode),
        consumables=settings.consumable_categories,
    ),
)
