"""What recommendations needs and offers."""

from clickstream.consumers.recommendations import NAME
from clickstream.needs import Access, Needs, Table
from clickstream.platform import MODELS, NO_MODEL_YET

#: One item per user: what to show next. Named unlike the application, whose name is its lease table's.
OFFERS = Table("offers", key="subject", range_key="part", expires="expires_at")
_MODEL = MODELS.objects("models/recommender/", "GetObject")
_BEFORE = OFFERS.may("PutItem", "workers of the version before write by it, until the last is replaced")
_LISTING = MODELS.may("ListBucket", NO_MODEL_YET)

NEEDS = Needs(
    name=NAME,
    wiring="clickstream.consumers.recommendations.wiring",
    tables=(OFFERS,),
    worker=Access((OFFERS.may("BatchGetItem GetItem PartiQLInsert PartiQLUpdate"), _MODEL), (_LISTING, _BEFORE)),
    serving=Access((OFFERS.may("BatchGetItem GetItem Query"), _MODEL), (_LISTING,)),
    effect="clickstream.consumers.recommendations.views:look",
    comparer="clickstream.load.verdict.subjects:recommendations",
    page="clickstream.serving.pages.frame:RECOMMENDATIONS",
)
