"""How far the other shards have told what they saw, so that nobody decides on what is staler than the bound."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from clickstream.completeness import least
from consumers.runtime.faults.outages import translated

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: A decision may miss what happened on another shard within so long before it, and nothing older.
STALENESS_MS = 2_000
#: The shards' progress is read at most this often.
_LOOK_EVERY_MS = 250


def told_up_to(items: Iterable[Mapping[str, Any]], own: str) -> float:
    """The time (ms) up to which every other shard has told what had arrived; infinite without others. Pure.

    ``items``: the application's items of the shards table. A commit writes them after its effects; see
    :mod:`clickstream.completeness`. A part of the key space that no shard has told anything of is unknown.
    """
    told = [
        (item["hash_range"]["S"], float("inf") if item["shard"]["S"] == own else float(item.get("arrived_to", {"N": "0"})["N"]))
        for item in items
        if "hash_range" in item
    ]
    up_to = least(told)
    return float("-inf") if up_to is None else up_to


class OtherShards:
    """Looks at the shards table. Raises RetryLater when DynamoDB does not answer."""

    def __init__(self, dynamodb: DynamoDBClient, table: str, application: str, shard_id: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._application = application
        self._shard_id = shard_id
        self._looked_ms: int | None = None
        self._told_up_to = float("-inf")
        self.ended: frozenset[str] = frozenset()
        """Shards that have told all they ever will, as of the last look."""

    def told_up_to(self, now_ms: int) -> float:
        """See :func:`told_up_to`, as of a moment ago. ``now_ms``: the wall clock."""
        if self._looked_ms is None or not 0 <= now_ms - self._looked_ms < _LOOK_EVERY_MS:
            with translated("DynamoDB"):
                pages = self._dynamodb.get_paginator("query").paginate(
                    TableName=self._table,
                    KeyConditionExpression="application = :application",
                    ExpressionAttributeValues={":application": {"S": self._application}},
                    ProjectionExpression="#shard, hash_range, arrived_to",
                    ExpressionAttributeNames={"#shard": "shard"},  # a reserved word
                    ConsistentRead=True,
                )
                items = [item for page in pages for item in page["Items"]]
            self._told_up_to = told_up_to(items, self._shard_id)
            self.ended = frozenset(item["shard"]["S"] for item in items if item.get("ended", {}).get("BOOL"))
            self._looked_ms = now_ms
        return self._told_up_to
