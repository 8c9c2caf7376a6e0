"""The one task that reads the stores for every open page."""

from __future__ import annotations

import asyncio
from time import monotonic

import anyio.to_thread
import structlog
from sse_starlette import ServerSentEvent

from clickstream.errors import ClickstreamError
from serving.broadcast import Broadcast
from serving.overview import Overview
from serving.read_model import Clock

log = structlog.get_logger()

#: How often the stores are read, whatever the number of pages.
PERIOD_S = 1.0
#: After a loss of connection a browser comes back this soon.
RETRY_MS = 2_000


class Live:
    """Reads the overview on a thread, about once per period, and broadcasts each picture as one server-sent event."""

    def __init__(self, overview: Overview, clock: Clock, period_s: float = PERIOD_S) -> None:
        self._overview = overview
        self._clock = clock
        self._period_s = period_s
        self._number = 0
        self.broadcast = Broadcast()
        #: Why the last read failed; None after one that did not, and before the first.
        self.problem: str | None = None
        self.read_at_ms: int | None = None

    async def run(self) -> None:
        """Until cancelled. Reads never pile up."""
        try:
            while True:
                began = monotonic()
                await self.tick()
                took = monotonic() - began
                # a store so slow, or data so large, that a period does not do gets at least as much rest as work
                await asyncio.sleep(max(self._period_s - took, took))
        except Exception:
            log.exception("the live feed has ended")
            raise
        finally:
            # without the reader, a page that stays connected would look alive
            self.broadcast.close()

    async def tick(self) -> None:
        """One read, and one message; a store that does not answer makes a message that says so."""
        try:
            await anyio.to_thread.run_sync(self._overview.read, self._clock())
        except ClickstreamError as error:
            if self.problem is None:
                log.warning("the stores cannot be read", reason=str(error))
            self.problem = str(error)
        else:
            if self.problem is not None:
                log.warning("the stores can be read again")
            self.problem = None
            self.read_at_ms = self._clock()
        self._number += 1
        picture = await anyio.to_thread.run_sync(self._overview.picture, self._clock(), self.problem)
        event = ServerSentEvent(picture.decode(), event="picture", id=str(self._number), retry=RETRY_MS, sep="\n")
        # encoded once here, and not once per page
        self.broadcast.send(event.encode())
