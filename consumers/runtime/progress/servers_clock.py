"""AWS's clock, as the answers to our own calls tell it: all that a shard without records can go by."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class ServersClock:
    """Called: what it showed at the last answer (ms, by whole seconds), and our monotonic clock then. Thread-safe."""

    def __init__(self, dynamodb: DynamoDBClient) -> None:
        self._heard: tuple[str, float] | None = None
        dynamodb.meta.events.register("after-call.dynamodb", self._hear)

    def __call__(self) -> tuple[int, float] | None:
        heard = self._heard
        return None if heard is None else (int(parsedate_to_datetime(heard[0]).timestamp() * 1000), heard[1])

    def _hear(self, http_response: Any, **_: object) -> None:
        if (date := http_response.headers.get("Date")) is not None:
            self._heard = str(date), time.monotonic()
