"""What analytics needs and offers."""

from clickstream.consumers.analytics import NAME
from clickstream.needs import Access, Needs, Table

#: One item per window and part of it, a part being a shard's share.
AGGREGATES = Table("aggregates", key="window", range_key="part", expires="expires_at")

NEEDS = Needs(
    name=NAME,
    wiring="clickstream.consumers.analytics.wiring",
    tables=(AGGREGATES,),
    worker=Access((AGGREGATES.may("PutItem"),)),
    serving=Access((AGGREGATES.may("DescribeTable Query"),)),
    effect="clickstream.consumers.analytics.views:look",
    comparer="clickstream.load.verdict.subjects:analytics_of_run",
    page="clickstream.serving.pages.frame:NOW",
)
