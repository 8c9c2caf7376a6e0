"""What each application's store holds of an event: one keyed read each, never a scan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from clickstream.aws import Clients
from clickstream.events import AnyEvent, Purchase
from clickstream.outages import translated
from clickstream.purchases import fingerprint, reused
from clickstream.settings import Settings
from consumers.explain.life import Effect, Put
from consumers.runtime.position import Position

Looker = Callable[[Clients, Settings, AnyEvent, Put], Effect | None]


def of(application: str, clients: Clients, settings: Settings, event: AnyEvent, put: Put) -> Effect | None:
    """None when the store has nothing of it (yet), or the application keeps nothing per event. Raises RetryLater."""
    look = _LOOKERS.get(application)
    return None if look is None else look(clients, settings, event, put)


def _analytics(clients: Clients, settings: Settings, event: AnyEvent, put: Put) -> Effect | None:
    """The row of the event's minute on its shard, if it was written at the event's position or later."""
    from consumers.analytics.windows import MINUTE_MS, partition

    start_ms = event.occurred_at - event.occurred_at % MINUTE_MS
    position = str(_position(put))
    with translated("DynamoDB"):
        answer = clients.dynamodb.query(
            TableName=settings.aggregates_table,
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


def _fraud(clients: Clients, settings: Settings, event: AnyEvent, _: Put) -> Effect | None:
    if not isinstance(event, Purchase):
        return None
    # the model's libraries cost half a second to import, which only a purchase pays
    from consumers.fraud.views import Decisions

    decision = Decisions(clients, settings).on(event.event_id, event)
    if decision is None:
        return None
    return Effect(
        what=f"decided: {decision.verdict.value}",
        at=decision.decided_at,
        model_version=decision.model_version,
        facts={
            "score": decision.score,
            "source": decision.source.value,
            "reasons": [reason.feature for reason in decision.reasons],
        },
    )


def _recommendations(clients: Clients, settings: Settings, event: AnyEvent, put: Put) -> Effect | None:
    """The visitor's offer, if it was made of this event or of later ones too."""
    from consumers.recommendations import table_items

    item = _item(
        clients,
        settings.recommendations_table,
        {"subject": {"S": table_items.subject(event.user_id)}, "part": {"S": table_items.OFFER}},
    )
    if item is None or item["position"]["S"] < str(_position(put)):
        return None
    # written again with each of the visitor's events: the time is that of the last
    return Effect(
        what="the visitor's offer includes it",
        model_version=item["version"]["S"] or None,
        facts={"offer_made_at": int(item["made_at"]["N"])},
    )


def order(clients: Clients, settings: Settings, event: AnyEvent | None) -> dict[str, Any] | None:
    """The order that a purchase has placed: ids, amount in minor units, lines, and how far it has come.

    None for other events, and while no order workflow runs or has come to it.
    """
    if not isinstance(event, Purchase):
        return None
    from consumers.orders.table import stored

    item = _item(clients, settings.orders_table, {"order_id": {"S": event.order_id}})
    if item is None:
        return None
    found = stored(item)
    if (purchase := fingerprint(event)) != found.order.purchase:
        # the id is another order's: this one was refused
        item = _item(clients, settings.orders_table, {"order_id": {"S": reused(event.order_id, purchase)}})
        if item is None:
            return None
        found = stored(item)
    placed = found.order
    return {
        "order_id": placed.order_id,
        "event_id": placed.event_id,
        "amount": placed.amount,
        "currency": placed.currency,
        "lines": msgspec.to_builtins(placed.lines),
        "step": found.step.value,
        "reason": found.reason,
        "told": found.told,
        "notified": found.notified,
    }


def _item(clients: Clients, table: str, key: Mapping[str, Any]) -> Mapping[str, Any] | None:
    dynamodb = clients.dynamodb
    with translated("DynamoDB"):
        try:
            return dynamodb.get_item(TableName=table, Key=dict(key), ConsistentRead=True).get("Item")
        except dynamodb.exceptions.ResourceNotFoundException:
            return None  # this application was never set up here


def _position(put: Put) -> Position:
    return Position(int(put.sequence_number), put.sub_sequence_number)


_LOOKERS: Mapping[str, Looker] = {"analytics": _analytics, "fraud": _fraud, "recommendations": _recommendations}
