"""Between the event loop of the web server and the threads of the publisher."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, Protocol

from clickstream.errors import Forbidden, Rejected, RetryLater
from clickstream.producers.publisher.puts import Delivered, Settled

Fate = Literal["delivered", "retry"] | Rejected
"""``retry``: not acknowledged; the event may be in the stream nevertheless."""


class Puts(Protocol):
    """The publisher, as far as the collector knows it (clickstream.producers.publisher.kinesis.KinesisPublisher)."""

    @property
    def forbidden(self) -> Forbidden | None: ...

    def put_raw(
        self, key: str, data: bytes, on_settled: Callable[[Settled], None] | None = None, *, timeout: float | None = None
    ) -> None: ...


class _Waiting:
    """One request's events. ``settled`` comes on the publisher's threads, all else happens on the event loop."""

    def __init__(self, count: int) -> None:
        self.fates: list[Fate] = ["retry"] * count
        self._outstanding = 1  # the putting itself, so that nothing settled meanwhile ends the wait
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self._loop.create_future()

    def expect(self) -> None:
        with self._lock:
            self._outstanding += 1

    def settled(self, index: int, outcome: Settled) -> None:
        if isinstance(outcome, Delivered):
            self.fates[index] = "delivered"
        elif isinstance(outcome.error, Rejected):
            self.fates[index] = outcome.error
        if self.one_less():
            self._loop.call_soon_threadsafe(self.finish)

    def all_put(self) -> None:
        if self.one_less():
            self.finish()

    def finish(self) -> None:
        if not self.done.done():  # the deadline may have come first
            self.done.set_result(None)

    def one_less(self) -> bool:
        """Whether that was the last."""
        with self._lock:
            self._outstanding -= 1
            return self._outstanding == 0


async def deliver(puts: Puts, records: Sequence[tuple[str, bytes]], timeout: float) -> list[Fate]:
    """Put (partition key, data) records and wait, at most ``timeout`` seconds, until Kinesis has answered for each.

    A full buffer ends the putting: what comes after is for the client to send again. Never waits for room, which would stop
    the event loop.
    """
    waiting = _Waiting(len(records))
    for index, (key, data) in enumerate(records):
        waiting.expect()
        try:
            puts.put_raw(key, data, partial(waiting.settled, index), timeout=0)
        except Rejected as error:
            waiting.one_less()
            waiting.fates[index] = error
        except RetryLater:
            waiting.one_less()
            break
    waiting.all_put()
    try:
        async with asyncio.timeout(timeout):
            await waiting.done
    except TimeoutError:
        pass  # those without an answer are "retry", as they began
    # a copy: an answer that comes from now on must not change what the client is told
    return list(waiting.fates)
