"""What analytics needs and offers."""

from clickstream.needs import Access, Needs, Table
from consumers.analytics import NAME

#: One item per window and part of it, a part being a shard's share.
AGGREGATES = Table("aggregates", key="window", range_key="part", expires="expires_at")

NEEDS = Needs(
    name=NAME,
    wiring="consumers.analytics.wiring",
    tables=(AGGREGATES,),
    worker=Access((AGGREGATES.may("PutItem"),)),
    serving=Access((AGGREGATES.may("DescribeTable Query"),)),
    effect="consumers.analytics.views:look",
    comparer="load.verdict.subjects:analytics_of_run",
    page="serving.pages.frame:NOW",
)
