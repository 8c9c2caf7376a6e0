"""The recommendations application, as the consumer runtime runs it."""

from clickstream.application import Wiring
from clickstream.consumers.recommendations import NAME
from clickstream.consumers.recommendations.fold import RecommendationsFold
from clickstream.consumers.recommendations.needs import OFFERS
from clickstream.consumers.recommendations.sink import RecommendationsTable
from clickstream.models import recommender
from clickstream.models.recommender.model import decode
from clickstream.models.registry.following import Followed
from clickstream.models.registry.s3 import Registry
from clickstream.platform import MODELS

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
