"""Rows into the aggregates table (DynamoDB): absolute values, written only over older positions."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from clickstream.aws.boto_types import DynamoDBClient
from clickstream.aws.items import Value, item
from clickstream.consumers.analytics.aggregate_rows import Row
from clickstream.consumers.analytics.windows import HOUR
from clickstream.failures.fan_out import write_each
from clickstream.failures.outages import translated
from clickstream.records.position import Position, guarded_put

_DAY_S = 86_400
#: DynamoDB's TTL may delete a row this long after it was last written (not after its window: replays of old events are kept).
MINUTE_KEPT_S = 14 * _DAY_S
HOUR_KEPT_S = 400 * _DAY_S
#: Rows under way at once.
THREADS = 8


class AggregatesTable:
    """See ``clickstream.application.Sink``; its effects are :class:`Row`."""

    def __init__(
        self,
        dynamodb: DynamoDBClient,
        table: str,
        clock_s: Callable[[], float] = time.time,
        threads: Executor | None = None,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._clock_s = clock_s
        self._threads = threads or ThreadPoolExecutor(THREADS, thread_name_prefix="aggregates")

    def write(self, effects: Sequence[Row], position: Position) -> None:
        """Raises RetryLater when any row could not be written; the others are, and writing them again does no harm."""
        write_each(self._threads, partial(self._put, position, int(self._clock_s())), effects)

    def _put(self, position: Position, now_s: int, row: Row) -> None:
        kept_s = HOUR_KEPT_S if row.width == HOUR else MINUTE_KEPT_S
        key = {"window": row.window, "part": row.part}
        values: dict[str, Value] = {**key, "partial": row.content, "expires_at": now_s + kept_s}
        # refused when the value of a later position is there already
        with translated("DynamoDB"), suppress(self._dynamodb.exceptions.ConditionalCheckFailedException):
            self._dynamodb.put_item(**guarded_put(self._table, item(values), position))
