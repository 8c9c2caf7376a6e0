"""Reads many decisions, by event id or by purchase, and what became known of them (DynamoDB). Raises RetryLater."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from clickstream.boto_types import DynamoDBClient
from clickstream.errors import Throttled
from clickstream.failures.outages import translated
from clickstream.purchases import reused
from consumers.fraud import outcomes
from consumers.fraud.decisions import Decision
from consumers.fraud.items import decision_of

if TYPE_CHECKING:
    from consumers.fraud.fold import Candidate
    from consumers.fraud.shadow.opinion_items import Opinion

#: DynamoDB's limit of one BatchGetItem.
_MOST = 100


def on(dynamodb: DynamoDBClient, table: str, asked: Iterable[Candidate | Opinion]) -> dict[tuple[str, str], Decision]:
    """The decisions on these very purchases, by event id and purchase; left out as by :func:`decisions`."""
    wanted = {(each.event_id, each.purchase) for each in asked}
    found = decisions(dynamodb, table, (event_id for event_id, _ in wanted))
    others = wanted - {(each.event_id, each.purchase) for each in found.values()}
    # one that is not decided yet is asked for in vain
    further = decisions(dynamodb, table, (reused(*other) for other in others if other[0] in found))
    by_purchase = {(each.event_id, each.purchase): each for each in (*found.values(), *further.values())}
    return {each: by_purchase[each] for each in wanted if each in by_purchase}


def decisions(dynamodb: DynamoDBClient, table: str, keys: Iterable[str]) -> dict[str, Decision]:
    """The decisions that stand, by key: an event id is that of its first purchase. Of another version of this code, or not made
    yet: left out."""
    found = {}
    for item in items(dynamodb, table, [{"event_id": {"S": key}} for key in dict.fromkeys(keys)]):
        try:
            found[item["event_id"]["S"]] = decision_of(item)
        except msgspec.MsgspecError:
            continue
    return found


def kinds(dynamodb: DynamoDBClient, table: str, decided: Iterable[Decision]) -> dict[str, str]:
    """What became known, by the decision's key, see :mod:`models.fraud.labels`; ``table``: of outcomes."""
    keys = [outcomes.label_key(decision) for decision in decided]
    return {item["part"]["S"].split("#", 2)[2]: item["kind"]["S"] for item in items(dynamodb, table, keys)}


def items(dynamodb: DynamoDBClient, table: str, keys: Sequence[Any]) -> Iterator[Any]:
    """Those that there are, of any table, as they are now. Raises Throttled when some were left unread."""
    for start in range(0, len(keys), _MOST):
        with translated("DynamoDB"):
            answer = dynamodb.batch_get_item(
                RequestItems={table: {"Keys": keys[start : start + _MOST], "ConsistentRead": True}}
            )
        if left := answer.get("UnprocessedKeys"):
            raise Throttled(f"DynamoDB: {sum(len(each['Keys']) for each in left.values())} items were left unread")
        yield from answer["Responses"].get(table, [])
