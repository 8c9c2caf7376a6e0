"""A steady trickle of events onto a stream, on a thread of its own: each new, of this moment, and counted."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self
from uuid import uuid4

from clickstream.events import ProductView
from clickstream.producers.publisher.kinesis import KinesisPublisher
from clickstream.settings import Settings

_TICK_S = 0.05


class Feed:
    """``rate`` events a second, by ``users`` visitors in turn, from entering the block until :meth:`stop` or its end."""

    def __init__(self, settings: Settings, *, rate: float, users: int = 1_000) -> None:
        self._publisher = KinesisPublisher(settings)
        self._rate = rate
        self._users = users
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self.sent = 0
        """Events given to the publisher; all are on the stream after :meth:`stop`."""

    def __enter__(self) -> Self:
        self._publisher.__enter__()
        self._thread.start()
        return self

    def stop(self) -> int:
        """Put no more; how many events are on the stream."""
        self._stopped.set()
        self._thread.join()
        self._publisher.flush()
        return self.sent

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        self._publisher.__exit__(kind, error, trace)

    def _run(self) -> None:
        run = uuid4().hex[:12]
        began = time.monotonic()
        while not self._stopped.wait(_TICK_S):
            due = int((time.monotonic() - began) * self._rate)
            while self.sent < due:
                self._publisher.put(event(run, self.sent, self.sent % self._users))
                self.sent += 1


def event(run: str, number: int, user: int) -> ProductView:
    """Some 250 bytes of JSON, of this moment."""
    return ProductView(
        event_id=f"{run}-7000-8000-{number:012x}",
        user_id=f"user-{user:06d}",
        session_id=f"session-{user:06d}-{run}",
        occurred_at=time.time_ns() // 1_000_000,
        product_id=f"product-{number % 5_000:05d}",
        category=f"category-{number % 40:02d}",
    )
