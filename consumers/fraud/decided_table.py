"""Reads many decisions by event id, and what became known of them (DynamoDB). Raises RetryLater."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from clickstream.errors import Throttled
from consumers.fraud import outcomes
from consumers.fraud.decisions import Decision
from consumers.fraud.items import decision_of
from consumers.runtime.outages import translated

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: DynamoDB's limit of one BatchGetItem.
_MOST = 100


def decisions(dynamodb: DynamoDBClient, table: str, event_ids: Iterable[str]) -> dict[str, Decision]:
    """The decisions that stand, by event id; of another version of this code, or not made yet: left out."""
    found = {}
    for item in _items(dynamodb, table, [{"event_id": {"S": event_id}} for event_id in dict.fromkeys(event_ids)]):
        try:
            found[item["event_id"]["S"]] = decision_of(item)
        except msgspec.MsgspecError:
            continue
    return found


def kinds(dynamodb: DynamoDBClient, table: str, decided: Iterable[Decision]) -> dict[str, str]:
    """What became known, by event id, see :mod:`models.fraud.labels`; ``table``: of outcomes."""
    keys = [outcomes.label_key(decision) for decision in decided]
    return {item["part"]["S"].split("#", 2)[2]: item["kind"]["S"] for item in _items(dynamodb, table, keys)}


def _items(dynamodb: DynamoDBClient, table: str, keys: Sequence[Any]) -> Iterable[Any]:
    for start in range(0, len(keys), _MOST):
        with translated("DynamoDB"):
            answer = dynamodb.batch_get_item(
                RequestItems={table: {"Keys": keys[start : start + _MOST], "ConsistentRead": True}}
            )
        if left := answer.get("UnprocessedKeys"):
            raise Throttled(f"DynamoDB: {sum(len(each['Keys']) for each in left.values())} items were left unread")
        yield from answer["Responses"].get(table, [])
