"""AWS's clock, as the answers to our own calls tell it: all that a shard without records can go by."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class ServersClock:
    """Thread-safe. The client's calls go on as they are."""

    def __init__(self, dynamodb: DynamoDBClient, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._heard: tuple[str, float] | None = None
        dynamodb.meta.events.register("after-call.dynamodb", self._hear)

    def __call__(self) -> tuple[int, float] | None:
        """(its clock in ms, to the second before; ours in s) at the last answer that had a Date."""
        heard = self._heard
        if heard is None:
            return None
        try:
            return int(parsedate_to_datetime(heard[0]).timestamp()) * 1000, heard[1]
        except ValueError:
            return None

    def _hear(self, http_response: Any, **_: object) -> None:
        if (date := http_response.headers.get("Date")) is not None:
            self._heard = str(date), self._monotonic_s()
