"""One task per kind of page reads the stores for all open pages of the kind, and rests while there are none."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from time import monotonic

import anyio.to_thread
import structlog
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from clickstream.errors import ClickstreamError, Forbidden
from serving.moments import iso
from serving.pages.broadcast import Broadcast
from serving.pages.picture import Picture
from serving.read_model import Clock

log = structlog.get_logger()

#: How often the stores are read, whatever the number of pages: an effect is to be seen within a second of its write.
PERIOD_S = 0.5
#: A reading that takes longer is told to the pages while it lasts; less than a page's patience.
SLOW_S = 4.0
#: After a loss of connection a browser comes back this soon.
RETRY_MS = 2_000
#: A heartbeat comment this often keeps proxies from closing a quiet stream.
HEARTBEAT_S = 15
#: A page that takes nothing for so long is gone, or asleep: it comes back by itself.
STALLED_S = 30


class Live:
    """Reads what a picture needs on a thread, once per period, and broadcasts each picture as one server-sent event.

    Without a page it reads every ``unwatched_s``, if that is given.
    """

    def __init__(
        self,
        picture: Picture,
        clock: Clock,
        period_s: float = PERIOD_S,
        slow_s: float = SLOW_S,
        *,
        unwatched_s: float | None = None,
    ) -> None:
        self._picture = picture
        self._clock = clock
        self._unwatched_s = unwatched_s
        self._period_s = period_s
        self._slow_s = slow_s
        self._number = 0
        self._since_ms = 0
        self.broadcast = Broadcast()
        #: Why the last read failed; None after one that did not, and before the first.
        self.problem: str | None = None
        self.read_at_ms: int | None = None

    async def run(self) -> None:
        """Until cancelled. Reads never pile up."""
        try:
            while True:
                if self._unwatched_s is None:
                    await self.broadcast.watched()
                began = monotonic()
                await self.tick()
                took = monotonic() - began
                # a store so slow, or data so large, that a period does not do gets at least as much rest as work
                await asyncio.sleep(max(self._period_s - took, took))
                if self._unwatched_s is not None:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(self._unwatched_s):
                            await self.broadcast.watched()
        except Exception:
            log.exception("the live feed has ended")
            raise
        finally:
            # without the reader, a page that stays connected would look alive
            self.broadcast.close()

    async def tick(self) -> None:
        """One read and one message; messages that say so while, and after, a store does not answer."""
        began, now = monotonic(), self._clock()
        # abandoned when the server ends: that must not wait for a store
        reading = asyncio.ensure_future(
            anyio.to_thread.run_sync(self._picture.read, now, abandon_on_cancel=True),
        )
        try:
            while not (await asyncio.wait({reading}, timeout=self._slow_s))[0]:
                self._note(f"it has not answered for {monotonic() - began:.0f} s")
                await self._send()
            await reading
        except ClickstreamError as error:
            what = {"action": error.action, "resource": error.resource} if isinstance(error, Forbidden) else {}
            self._note(told(error), **what)
        else:
            self._note(None)
            self.read_at_ms = now
        finally:
            reading.cancel()
        await self._send()

    def _note(self, problem: str | None, **what: str) -> None:
        if (problem is None) != (self.problem is None):
            said = "the stores can be read again" if problem is None else "the stores cannot be read"
            log.log(logging.ERROR if what else logging.WARNING, said, reason=problem, **what)
            self._since_ms = self._clock()
        self.problem = None if problem is None else f"{problem} (since {iso(self._since_ms // 1000 * 1000)})"

    async def _send(self) -> None:
        self._number += 1
        picture = await anyio.to_thread.run_sync(self._picture.picture, self._clock(), self.problem)
        event = ServerSentEvent(picture.decode(), event="picture", id=str(self._number), retry=RETRY_MS, sep="\n")
        # encoded once here, and not once per page
        self.broadcast.send(event.encode())


def told(error: ClickstreamError) -> str:
    """What a page or an answer says; what we may not do, and where, is for the log alone."""
    return (
        "this server lacks a permission, a key or a resource; its log names it" if isinstance(error, Forbidden) else str(error)
    )


class Feed(EventSourceResponse):
    """One page's stream of pictures, until the page or the broadcast ends."""

    def __init__(self, broadcast: Broadcast, stalled_s: float = STALLED_S) -> None:
        super().__init__(_pictures(broadcast), ping=HEARTBEAT_S, sep="\n", send_timeout=stalled_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            log.info("a page has stalled and was let go")


async def _pictures(broadcast: Broadcast) -> AsyncIterator[bytes]:
    subscription = broadcast.subscribe()
    try:
        async for picture in subscription:
            yield picture
    finally:
        broadcast.unsubscribe(subscription)
