"""What every shard saw of an address, a device, a card (DynamoDB): absolute parts, written only over older positions.

One item per key, ``seen``; of each shard ``part:SHARD`` and the position ``at:SHARD`` that it stands for. A shard that was
split or merged leaves its parts to be read beside its children's, who begin anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from clickstream.errors import RetryLater, Throttled
from clickstream.refusals import error_code
from consumers.runtime.outages import translated
from consumers.runtime.position import Position
from models.features.crossing import Part

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: DynamoDB's TTL may delete a key that nobody used for so long: no window looks further back than a day.
KEPT_S = 2 * 86_400
#: Of one transaction, and of one read: DynamoDB's limit.
_MOST = 100
_PART, _AT = "part:", "at:"


class SightingsTable:
    """One shard's access: it writes its own parts and reads the others'. Both raise RetryLater."""

    def __init__(self, dynamodb: DynamoDBClient, table: str, shard_id: str, clock_s: Callable[[], float] = time.time) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._own = f"{_PART}{shard_id}"
        self._names = {"#part": self._own, "#at": f"{_AT}{shard_id}", "#expires": "expires_at"}
        self._clock_s = clock_s

    def others(self, seen: Iterable[str]) -> dict[str, list[bytes]]:
        """The other shards' parts by name of the key; keys that nobody else has told of are left out."""
        names = sorted(set(seen))
        found: dict[str, list[bytes]] = {}
        for start in range(0, len(names), _MOST):
            for item in self._read(names[start : start + _MOST]):
                if parts := [part["B"] for name, part in item.items() if name.startswith(_PART) and name != self._own]:
                    found[item["seen"]["S"]] = parts
        return found

    def write(self, parts: Sequence[Part], position: Position) -> None:
        """Tell this shard's parts as of ``position``; those of a later position stay."""
        for start in range(0, len(parts), _MOST):
            updates = [self._update(part, position) for part in parts[start : start + _MOST]]
            try:
                # one request for many: a transaction is the only batch that knows conditions
                with translated("DynamoDB"):
                    self._dynamodb.transact_write_items(TransactItems=[{"Update": update} for update in updates])
            except ClientError as error:
                if error_code(error) != "TransactionCanceledException":
                    raise
                # a later position stands somewhere, or another shard was writing to the same key just then
                for update in updates:
                    self._write_alone(update)

    def _read(self, names: Sequence[str]) -> Sequence[Any]:
        keys = [{"seen": {"S": name}} for name in names]
        with translated("DynamoDB"):
            answer = self._dynamodb.batch_get_item(RequestItems={self._table: {"Keys": keys, "ConsistentRead": True}})
        if answer.get("UnprocessedKeys"):
            raise Throttled("DynamoDB: some sightings were left unread")
        return answer["Responses"].get(self._table, [])

    def _update(self, part: Part, position: Position) -> Any:
        return {
            "TableName": self._table,
            "Key": {"seen": {"S": part.seen}},
            "UpdateExpression": "SET #part = :part, #at = :at, #expires = :expires",
            "ConditionExpression": "attribute_not_exists(#at) OR #at < :at",
            "ExpressionAttributeNames": self._names,
            "ExpressionAttributeValues": {
                ":part": {"B": part.content},
                ":at": {"S": str(position)},
                ":expires": {"N": str(int(self._clock_s()) + KEPT_S)},
            },
        }

    def _write_alone(self, update: Any) -> None:
        try:
            with translated("DynamoDB"):
                self._dynamodb.update_item(**update)
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise RetryLater(f"DynamoDB: {error}") from error
