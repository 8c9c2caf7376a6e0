"""A stream in memory behind the collector's endpoint: takes, refuses or swallows what is put, on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Literal

from clickstream.errors import Forbidden, RetryLater, Throttled, TooLarge
from clickstream.producers.publisher.puts import Delivered, Failed, Settled

Mood = Literal["takes", "full", "fails", "silent", "too large", "forbidden"]


class Stream:
    """``mood`` is what becomes of the next puts; ``records`` is what is in the stream, as (partition key, data)."""

    def __init__(self, mood: Mood = "takes") -> None:
        self.mood: Mood = mood
        self.records: list[tuple[str, bytes]] = []
        self.forbidden: Forbidden | None = None
        self.room: int | None = None
        """Puts until the mood turns to "full"."""

    def put_raw(
        self, key: str, data: bytes, on_settled: Callable[[Settled], None] | None = None, *, timeout: float | None = None
    ) -> None:
        assert on_settled is not None
        assert timeout == 0, "the event loop must never wait for room"
        if self.room is not None:
            self.mood = "takes" if self.room else "full"
            self.room -= self.room > 0
        if self.mood == "full":
            raise Throttled("full")
        if self.mood == "too large":
            raise TooLarge("an event of 2 bytes is over the record limit of 1")
        if self.mood == "silent":
            return
        outcome: Settled
        self.forbidden = None
        if self.mood == "forbidden":
            self.forbidden = Forbidden("no", action="kinesis:PutRecords", resource="shop")
            outcome = Failed(on_settled, key, data, self.forbidden)
        elif self.mood == "fails":
            outcome = Failed(on_settled, key, data, RetryLater("not accepted in time"))
        else:
            self.records.append((key, data))
            outcome = Delivered(on_settled, "shardId-000000000000", "1")
        threading.Thread(target=on_settled, args=(outcome,)).start()
