"""What fraud needs and offers."""

from clickstream.consumers.fraud import NAME
from clickstream.needs import Access, Needs, Queue, Table, Topic
from clickstream.platform import MODELS, NO_MODEL_YET, SHARDS

#: One item per purchase: its fraud decision.
DECISIONS = Table("decisions", key="event_id", expires="expires_at")
#: What was decided, by hour, and what became known of it: one small item per decision, alert and label.
OUTCOMES = Table("outcomes", key="window", range_key="part", expires="expires_at")
#: One item per address, device and card: what each shard saw of it lately.
SIGHTINGS = Table("sightings", key="seen", expires="expires_at")
#: Purchases to be reviewed, and blocked ones.
ALERTS = Topic("alerts")
#: What waits for a reviewer.
REVIEWS = Queue("alerts", "AlertsQueue", topic=ALERTS)

NEEDS = Needs(
    name=NAME,
    wiring="clickstream.consumers.fraud.wiring",
    tables=(DECISIONS, OUTCOMES, SIGHTINGS),
    topics=(ALERTS,),
    queues=(REVIEWS,),
    worker=Access(
        (
            DECISIONS.may("PutItem UpdateItem"),
            OUTCOMES.may("BatchWriteItem"),
            SIGHTINGS.may("BatchGetItem UpdateItem"),
            SHARDS.may("Query"),
            ALERTS.may("CreateTopic Publish"),
            MODELS.objects("models/fraud/", "GetObject"),
        ),
        (MODELS.may("ListBucket", NO_MODEL_YET),),
    ),
    serving=Access(
        (DECISIONS.may("GetItem"), OUTCOMES.may("Query")),
        (
            OUTCOMES.may("PutItem", "what a person does on the page; no run of the recording does"),
            MODELS.objects("models/fraud/", "GetObject", "which version serves; newer than the recorded calls"),
        ),
    ),
    effect="clickstream.consumers.fraud.views:look",
    comparer="clickstream.load.verdict.subjects:fraud",
    page="clickstream.serving.pages.frame:FRAUD",
)
