"""What every shard saw of an address, a device, a card (DynamoDB): absolute parts, written only over older positions.

One item per key, ``seen``; of each shard ``part:SHARD`` and the position ``at:SHARD`` that it stands for. A shard that was
split or merged leaves its parts to be read beside its children's, who begin anew. An item has 400 KB, so the parts of ended
shards are put together in ``folded``, and ``gone`` names these shards: an owner of old that wakes up there writes no more.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog
from botocore.exceptions import ClientError

from clickstream.aws.boto_types import DynamoDBClient
from clickstream.consumers.fraud.fold import CROSSING
from clickstream.consumers.fraud.tables import items
from clickstream.errors import RetryLater, Unwritable
from clickstream.failures.fan_out import raise_gravest
from clickstream.failures.outages import translated
from clickstream.failures.refusals import error_code
from clickstream.models.features.crossing import Part
from clickstream.records.position import Position

#: DynamoDB's TTL may delete a key that nobody used for so long: no window looks further back than a day.
KEPT_S = 2 * 86_400
#: Of one transaction: DynamoDB's limit.
_MOST = 100
_PART, _AT, _FOLDED, _GONE = "part:", "at:", "folded", "gone"
#: Parts of ended shards in an item that are worth a write, and those that one expression (4 KB) can name.
FOLD_FROM, _FOLD_MOST = 8, 60

log = structlog.get_logger()


class SightingsTable:
    """One shard's access: it writes its own parts and reads the others'. Both raise RetryLater."""

    def __init__(
        self,
        dynamodb: DynamoDBClient,
        table: str,
        shard_id: str,
        clock_s: Callable[[], float] = time.time,
        ended: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        """``ended``: the shards of which it is known that they have told all."""
        self._dynamodb = dynamodb
        self._table = table
        self._own = f"{_PART}{shard_id}"
        self._names = {"#part": self._own, "#at": f"{_AT}{shard_id}", "#expires": "expires_at", "#gone": _GONE}
        self._ended = ended
        self._clock_s = clock_s

    def others(self, seen: Iterable[str]) -> dict[str, list[bytes]]:
        """The other shards' parts by name of the key; keys that nobody else has told of are left out."""
        found: dict[str, list[bytes]] = {}
        for item in items(self._dynamodb, self._table, [{"seen": {"S": name}} for name in sorted(set(seen))]):
            parts = [part["B"] for name, part in item.items() if name.startswith(_PART) and name != self._own]
            if _FOLDED in item:
                parts.append(item[_FOLDED]["B"])
            if parts:
                found[item["seen"]["S"]] = parts
            self._fold(item, FOLD_FROM)
        return found

    def write(self, parts: Sequence[Part], position: Position) -> None:
        """Tell this shard's parts as of ``position``; those of a later position stay."""
        for start in range(0, len(parts), _MOST):
            updates = [self._update(part, position) for part in parts[start : start + _MOST]]
            try:
                # one request for many: a transaction is the only batch that knows conditions
                with translated("DynamoDB"):
                    self._dynamodb.transact_write_items(TransactItems=[{"Update": update} for update in updates])
            except (ClientError, Unwritable) as error:
                if isinstance(error, ClientError) and error_code(error) != "TransactionCanceledException":
                    raise
                # a later position stands somewhere, another shard was writing to the same key just then, or one is too large
                raise_gravest([trouble(self._write_alone, update) for update in updates])

    def _update(self, part: Part, position: Position) -> Any:
        return {
            "TableName": self._table,
            "Key": {"seen": {"S": part.seen}},
            "UpdateExpression": "SET #part = :part, #at = :at, #expires = :expires",
            "ConditionExpression": "(attribute_not_exists(#at) OR #at < :at) AND NOT contains(#gone, :own)",
            "ExpressionAttributeNames": self._names,
            "ExpressionAttributeValues": {
                ":part": {"B": part.content},
                ":at": {"S": str(position)},
                ":own": {"S": _number(self._own)},
                ":expires": {"N": str(int(self._clock_s()) + KEPT_S)},
            },
        }

    def _write_alone(self, update: Any) -> None:
        try:
            self._put(update)
        except Unwritable:
            # too large by the parts of ended shards, if nobody ever read the item
            while any(self._fold(item, 1) for item in items(self._dynamodb, self._table, [update["Key"]])):
                pass
            self._put(update)

    def _put(self, update: Any) -> None:
        with translated("DynamoDB"), suppress(self._dynamodb.exceptions.ConditionalCheckFailedException):
            self._dynamodb.update_item(**update)

    def _fold(self, item: Mapping[str, Any], at_least: int) -> bool:
        """Put parts of ended shards together, unless somebody else is doing so; whether it was done."""
        shards = sorted(shard for shard in self._ended() if f"{_PART}{shard}" in item and f"{_PART}{shard}" != self._own)
        shards = shards[:_FOLD_MOST]
        if len(shards) < at_least:
            return False
        was = item.get(_FOLDED)
        parts = [item[f"{_PART}{shard}"]["B"] for shard in shards]
        folded = CROSSING.folded(item["seen"]["S"], parts if was is None else [*parts, was["B"]])
        if folded is None:
            return False
        names = {f"#{kind[0]}{n}": f"{kind}{shard}" for n, shard in enumerate(shards) for kind in (_PART, _AT)}
        values = {f":a{n}": item[f"{_AT}{shard}"] for n, shard in enumerate(shards)}
        values |= {":folded": {"B": folded}, ":gone": {"SS": [_number(shard) for shard in shards]}}
        unchanged = [f"#a{n} = :a{n}" for n in range(len(shards))]
        unchanged.append("attribute_not_exists(folded)" if was is None else "folded = :was")
        values |= {} if was is None else {":was": was}
        try:
            with translated("DynamoDB"):
                self._dynamodb.update_item(
                    TableName=self._table,
                    Key={"seen": item["seen"]},
                    UpdateExpression=f"REMOVE {', '.join(names)} SET folded = :folded ADD gone :gone",
                    ConditionExpression=" AND ".join(unchanged),
                    ExpressionAttributeNames=names,
                    ExpressionAttributeValues=values,
                )
        except (RetryLater, Unwritable, ClientError) as error:
            log.info("parts of ended shards stay for now", reason=str(error))
            return False
        return True


def trouble(write: Callable[..., None], *arguments: Any) -> RetryLater | Unwritable | None:
    """Call it; its failure, if other writes should be tried first."""
    try:
        write(*arguments)
    except (RetryLater, Unwritable) as failure:
        return failure
    return None


def _number(shard: str) -> str:
    """What tells a shard from all others, in few bytes: those that are gone are named as long as the key is used."""
    return shard.rpartition("-")[2].lstrip("0") or "0"
