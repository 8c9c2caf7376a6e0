"""Offers into the recommendations table (DynamoDB), written only over older positions; the model comes from the registry."""

import time
from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import msgspec

from clickstream.aws.boto_types import AttributeValueTypeDef, DynamoDBClient
from clickstream.consumers.recommendations import table_items
from clickstream.consumers.recommendations.fold import Visit
from clickstream.consumers.recommendations.offers import HitRate, Offer, Offers
from clickstream.errors import RetryLater
from clickstream.failures.fan_out import write_each
from clickstream.failures.outages import translated
from clickstream.models.recommender.model import Model
from clickstream.models.registry.following import Followed
from clickstream.records.position import START, Position, guarded_put

Row = Mapping[str, AttributeValueTypeDef]

#: DynamoDB's TTL may delete a visitor's offer so long after it was made.
KEPT_S = 30 * 86_400
#: A batch write knows no conditions and single puts are five times dearer here, so rows go in transactions of this many.
PER_TRANSACTION = 50
#: Transactions under way at once.
THREADS = 4
_OLDER = "ConditionalCheckFailed"


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
        threads: int = THREADS,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._shard_id = shard_id
        self._model = model
        self._clock_ms = clock_ms
        self._offers = Offers(consumables)
        self._hit_rate: HitRate | None = None
        self._counted = START
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="recommendations")

    def write(self, effects: Sequence[Visit], position: Position) -> None:
        """Raises RetryLater when any row could not be written; the others are, and writing them again does no harm."""
        now_ms = self._clock_ms()
        if self._model.look(now_ms):
            self._offers.use(self._model.value)
        hit_rate = self._count(effects, position)
        made = [self._offer(offer, now_ms) for offer in self._offers.answer(effects, now_ms)]
        if hit_rate is not None:
            made.append(self._counts(hit_rate))
        chunks = [made[start : start + PER_TRANSACTION] for start in range(0, len(made), PER_TRANSACTION)]
        write_each(self._threads, partial(self._write, position), chunks)

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

    def _write(self, position: Position, chunk: Sequence[Row]) -> None:
        """One transaction: all or none, so rows that hold a later position are left out and the rest is tried again."""
        left = list(chunk)
        while left:
            try:
                with translated("DynamoDB"):
                    self._dynamodb.transact_write_items(
                        TransactItems=[{"Put": guarded_put(self._table, row, position)} for row in left]
                    )
                return
            except self._dynamodb.exceptions.TransactionCanceledException as error:
                codes = [reason.get("Code", "None") for reason in error.response["CancellationReasons"]]
                if refused := {code for code in codes if code not in ("None", _OLDER)}:
                    raise RetryLater(f"DynamoDB: transaction cancelled: {', '.join(sorted(refused))}") from error
                # what is there was made of more events than ours
                left = [row for row, code in zip(left, codes, strict=True) if code != _OLDER]

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
