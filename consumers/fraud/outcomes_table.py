"""Writes the outcomes table (DynamoDB): whatever is written again is written the same, so no condition is needed."""

from collections.abc import Iterable, Sequence
from typing import Any

from clickstream.boto_types import DynamoDBClient
from clickstream.errors import Throttled
from clickstream.failures.outages import translated
from consumers.fraud import outcomes
from consumers.fraud.decisions import Decision

#: DynamoDB's limit of one BatchWriteItem.
_MOST = 25


class OutcomesTable:
    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def write(self, decisions: Iterable[Decision]) -> None:
        """Note decisions that stand in the decisions table. Raises RetryLater when some may not be written; repeat them all."""
        self.put([item for decision in decisions for item in outcomes.items_of(decision)])

    def label(self, labelled: Iterable[tuple[Decision, str]], now_s: int) -> None:
        """Note what became known of decided purchases: (decision, kind of fraud or GENUINE). Raises as ``write`` does."""
        self.put([outcomes.label_item(decision, kind, now_s) for decision, kind in labelled])

    def put(self, items: Sequence[Any]) -> None:
        """Write items whose later writers write the same or better. Raises RetryLater, some then being written."""
        # one request may not name a key twice
        by_key = {(item["window"]["S"], item["part"]["S"]): item for item in items}
        requests: list[Any] = [{"PutRequest": {"Item": item}} for item in by_key.values()]
        for start in range(0, len(requests), _MOST):
            with translated("DynamoDB"):
                answer = self._dynamodb.batch_write_item(RequestItems={self._table: requests[start : start + _MOST]})
            if left := answer.get("UnprocessedItems"):
                raise Throttled(f"DynamoDB: {sum(map(len, left.values()))} items were left unwritten")
