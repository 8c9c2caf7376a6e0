"""What analytics has made of one event."""

from __future__ import annotations

from clickstream.aws import Clients
from clickstream.events import AnyEvent
from clickstream.failures.outages import translated
from clickstream.settings import Settings
from consumers.analytics.needs import AGGREGATES
from consumers.analytics.windows import MINUTE_MS, partition
from consumers.explain.life import Effect, Put


def look(clients: Clients, settings: Settings, event: AnyEvent, put: Put) -> Effect | None:
    """The row of the event's minute on its shard, if it was written at the event's position or later."""
    start_ms = event.occurred_at - event.occurred_at % MINUTE_MS
    position = str(put.position)
    with translated("DynamoDB"):
        answer = clients.dynamodb.query(
            TableName=AGGREGATES.of(settings),
            KeyConditionExpression="#window = :window AND begins_with(#part, :part)",
            ProjectionExpression="#part, #position",
            ExpressionAttributeNames={"#window": "window", "#part": "part", "#position": "position"},
            ExpressionAttributeValues={
                ":window": {"S": partition(1, start_ms)},
                ":part": {"S": f"{start_ms:014d}#{put.shard}#"},
            },
            ConsistentRead=True,
        )
    rows = [item for item in answer["Items"] if item["position"]["S"] >= position]
    if not rows:
        return None
    return Effect(what="counted in its minute", facts={"minute": start_ms, "row": rows[0]["part"]["S"]})
