"""Offers into the recommendations table (DynamoDB), written only over older positions; the model comes from the registry."""

import time
from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, cast

import msgspec
from botocore.exceptions import ClientError

from clickstream.aws.boto_types import AttributeValueTypeDef, DynamoDBClient, KeysAndAttributesTypeDef
from clickstream.consumers.recommendations import table_items
from clickstream.consumers.recommendations.fold import Visit
from clickstream.consumers.recommendations.offers import REMEMBERED, HitRate, Offer, Offers
from clickstream.failures.fan_out import raise_gravest, write_each
from clickstream.failures.outages import translated
from clickstream.failures.refusals import as_error
from clickstream.models.recommender.model import Model
from clickstream.models.registry.following import Followed
from clickstream.records.position import START, Position, guarded_statement

Row = Mapping[str, AttributeValueTypeDef]

#: DynamoDB's TTL may delete a visitor's offer so long after it was made.
KEPT_S = 30 * 86_400
#: Statements of a batch (DynamoDB's limit). A batch write knows no conditions, single puts take five times the CPU, and
#: transactions twice the write units.
PER_BATCH = 25
#: Batches under way at once.
THREADS = 4


class RecommendationsTable:
    """See ``clickstream.application.Sink``; its effects are :class:`Visit`."""

    def __init__(
        self,
        dynamodb: DynamoDBClient,
        table: str,
        shard_id: str,
        model: Followed[Model],
        *,
        consumables: Set[str] = frozenset(),
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._shard_id = shard_id
        self._model = model
        self._clock_ms = clock_ms
        self._offers = Offers(consumables)
        self._hit_rate: HitRate | None = None
        self._counted = START
        self._landed: dict[str, Position] = {}
        """Subject → the position of its row, of those written last: a write that is called again leaves them out."""
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="recommendations")

    def write(self, effects: Sequence[Visit], position: Position) -> None:
        """Raises RetryLater when any row could not be written; the others are, and writing them again does no harm."""
        now_ms = self._clock_ms()
        if self._model.look(now_ms):
            self._offers.use(self._model.value)
        hit_rate = self._count(effects, position)
        made = [self._offer(offer, now_ms) for offer in self._offers.answer(effects, now_ms)]
        if hit_rate is not None:
            made.append(self._counts(hit_rate))
        rows = [row for row in made if self._landed.get(_subject(row)) != position]
        write_each(
            self._threads, partial(self._write, position), [rows[at : at + PER_BATCH] for at in range(0, len(rows), PER_BATCH)]
        )
        while len(self._landed) > REMEMBERED:
            del self._landed[next(iter(self._landed))]

    def _count(self, effects: Sequence[Visit], position: Position) -> HitRate | None:
        """The new total, None if it is the old one. A write that is called again counts once; so does what an owner before
        us had counted up to its last row."""
        if self._hit_rate is None:
            self._hit_rate, self._counted = self._stored_hit_rate()
        if position <= self._counted:
            return self._hit_rate  # its row may not have arrived; if it has, the position refuses it
        counted = self._offers.count(effects)
        self._counted = position
        if not counted.clicks:
            return None
        self._hit_rate += counted
        return self._hit_rate

    def _write(self, position: Position, rows: Sequence[Row]) -> None:
        """Each row by the statement that it should need; the refused by the other one: who expects a row may be wrong. Refused
        twice, what is there was made of more events than ours."""
        found = self._found([row for row in rows if _subject(row) not in self._landed])
        left = [(row, _subject(row) in self._landed or _subject(row) in found) for row in rows]
        for _ in range(2):
            statements = [guarded_statement(self._table, table_items.KEYS, row, position, there=there) for row, there in left]
            with translated("DynamoDB"):
                answers = self._dynamodb.batch_execute_statement(Statements=statements)["Responses"]
            refused = [(row, there, answer) for (row, there), answer in zip(left, answers, strict=True) if "Error" in answer]
            left = [(row, not there) for row, there, _ in refused]
            self._landed.update(dict.fromkeys({_subject(row) for row in rows} - {_subject(row) for row, _ in left}, position))
            errors = (ClientError(cast("Any", answer), "BatchExecuteStatement") for *_, answer in refused)
            raise_gravest(as_error("DynamoDB", error) for error in errors)
            if not left:
                return

    def _found(self, rows: Sequence[Row]) -> set[str]:
        """Subjects of those that are there: to ask costs a tenth of a statement that is refused."""
        if not rows:
            return set()
        keys = [{key: row[key] for key in table_items.KEYS} for row in rows]
        wanted: dict[str, KeysAndAttributesTypeDef] = {self._table: {"Keys": keys, "ProjectionExpression": "subject"}}
        with translated("DynamoDB"):
            answer = self._dynamodb.batch_get_item(RequestItems=wanted)
        return {item["subject"]["S"] for item in answer["Responses"].get(self._table, [])}

    def _offer(self, offer: Offer, now_ms: int) -> Row:
        stranger = offer.user_id is None
        return {
            "subject": {"S": table_items.POPULAR if offer.user_id is None else table_items.subject(offer.user_id)},
            "part": {"S": self._shard_id if stranger else table_items.OFFER},
            "items": {"B": table_items.encode(offer.items)},
            "version": {"S": self._model.version or ""},
            "made_at": {"N": str(now_ms)},
            "expires_at": {"N": str(now_ms // 1000 + KEPT_S)},
        }

    def _counts(self, hit_rate: HitRate) -> Row:
        return {
            "subject": {"S": table_items.HIT_RATE},
            "part": {"S": self._shard_id},
            **{name: {"N": str(count)} for name, count in msgspec.structs.asdict(hit_rate).items()},
        }

    def _stored_hit_rate(self) -> tuple[HitRate, Position]:
        key: dict[str, AttributeValueTypeDef] = {"subject": {"S": table_items.HIT_RATE}, "part": {"S": self._shard_id}}
        with translated("DynamoDB"):
            item = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        if item is None:
            return HitRate(), START
        counts = {name: int(item[name]["N"]) for name in HitRate.__struct_fields__}
        return HitRate(**counts), Position.parse(item["position"]["S"])


def _subject(row: Row) -> str:
    return row["subject"]["S"]
