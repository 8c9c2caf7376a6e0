"""One task per kind of page reads the stores for all open pages of the kind, and rests while there are none.

What was read last is kept, and shown again while the stores do not answer.
"""

import asyncio
import contextlib
from collections.abc import Collection
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Protocol

import anyio.to_thread
import msgspec
import structlog
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from clickstream.errors import ClickstreamError, Forbidden
from clickstream.serving.moments import Clock, iso
from clickstream.serving.pages.broadcast import Broadcast
from clickstream.serving.progress import ProgressReader, Reading, silent

log = structlog.get_logger()

#: How often the stores are read, whatever the number of pages: an effect is to be seen within a second of its write.
PERIOD_S = 0.5
#: A reading that takes longer is reported to the pages while it lasts; less than a page's patience.
SLOW_S = 4.0
#: After a loss of connection a browser comes back this soon.
RETRY_MS = 2_000
#: A heartbeat comment this often keeps proxies from closing a quiet stream.
HEARTBEAT_S = 15
#: A page that takes nothing for so long is gone, or asleep: it comes back by itself.
STALLED_S = 30


class Picture(Protocol):
    """What one page shows. Its readings never overlap."""

    @property
    def applications(self) -> Collection[str]:
        """Those that make its figures: the page is as fresh as they are. Empty: all."""

    def read(self, seen: Reading) -> dict[str, Any]:
        """What the page shows, by name; raises what the read models raise, and then what was read last stands."""


def head(title: str, seen: Reading | None, applications: Collection[str], now_ms: int, problem: str | None) -> dict[str, Any]:
    """What every picture begins with.

    ``applications``: whose figures the page shows, see :class:`Picture`; ``problem``: why the stores were not read just now.
    """
    rows = [] if seen is None else seen.of(applications)
    return {
        "title": title,
        "now": now_ms,
        "problem": problem,
        "read_at": None if seen is None else seen.read_at,
        # of the shard whose last word is oldest; None where no shard is read
        "updated_at": min((row.updated_at for row in rows if row.is_read and row.updated_at), default=None),
        "complete_to": None if seen is None else seen.complete_to(applications),
        "silent": silent(rows, now_ms),
        # have never run here
        "absent": sorted(set(applications).difference(row.application for row in rows)),
    }


@dataclass
class Live:
    """Reads what a picture needs on a thread, once per period, and broadcasts each picture as one server-sent event.

    Without a page it reads every ``unwatched_s``, if that is given.
    """

    picture: Picture
    progress: ProgressReader
    clock: Clock
    title: str
    period_s: float = PERIOD_S
    slow_s: float = SLOW_S
    unwatched_s: float | None = None
    broadcast: Broadcast = field(default_factory=Broadcast, init=False)
    problem: str | None = field(default=None, init=False)
    """Why the last read failed; None after one that did not, and before the first."""
    seen: Reading | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._number = self._since_ms = 0
        self._failing: type[Exception] | None = None
        self._shown: dict[str, Any] = {}
        """Nothing before the first reading."""

    async def run(self) -> None:
        """Until cancelled. Reads never pile up."""
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.unwatched_s):
                        await self.broadcast.watched.wait()
                began = monotonic()
                await self.tick()
                took = monotonic() - began
                # a store so slow, or data so large, that a period does not do gets at least as much rest as work
                await asyncio.sleep(max(self.period_s - took, took))
        finally:
            # without the reader, a page that stays connected would look alive
            self.broadcast.close()

    async def tick(self) -> None:
        """One read and one message; messages that say so while, and after, a read fails."""
        try:
            await self._read()
            self._note(None)
        except Exception as error:  # noqa: BLE001  # a fault of ours too: the next reading may be free of it
            self._note(error)
        await self._send()

    async def _read(self) -> None:
        began, now_ms = monotonic(), self.clock()

        def read() -> tuple[Reading, dict[str, Any]]:
            seen = self.progress.read(now_ms)
            return seen, self.picture.read(seen)

        # abandoned when the server ends: that must not wait for a store
        reading = asyncio.ensure_future(anyio.to_thread.run_sync(read, abandon_on_cancel=True))
        try:
            while not (await asyncio.wait({reading}, timeout=self.slow_s))[0]:
                self._note(TimeoutError(f"it has not answered for {monotonic() - began:.0f} s"))
                await self._send()
            self.seen, self._shown = await reading
        finally:
            reading.cancel()

    def _note(self, error: Exception | None) -> None:
        """Logs each kind of failure once, and its end."""
        failing = None if error is None else type(error)
        if failing is not self._failing:
            self._failing, self._since_ms = failing, self.clock()
            _log(error)
        self.problem = None if error is None else f"{reason(error)} (since {iso(self._since_ms // 1000 * 1000)})"

    async def _send(self) -> None:
        self._number += 1
        told = head(self.title, self.seen, self.picture.applications, self.clock(), self.problem)
        picture = await anyio.to_thread.run_sync(msgspec.json.encode, {"head": told, **self._shown})
        event = ServerSentEvent(picture.decode(), event="picture", id=str(self._number), retry=RETRY_MS, sep="\n")
        # encoded once here, and not once per page
        self.broadcast.send(event.encode())


def reason(error: Exception) -> str:
    """For a page or an answer. What the server may not do, and its own faults, are for the log alone."""
    if isinstance(error, Forbidden):
        return "this server lacks a permission, a key or a resource; its log names it"
    return str(error) if isinstance(error, ClickstreamError | TimeoutError) else "a fault of this server; its log says more"


def _log(error: Exception | None) -> None:
    if error is None:
        log.warning("the stores can be read again")
    elif isinstance(error, Forbidden):
        log.error("the stores cannot be read", reason=reason(error), action=error.action, resource=error.resource)
    elif isinstance(error, ClickstreamError | TimeoutError):
        log.warning("the stores cannot be read", reason=reason(error))
    else:
        log.error("the stores cannot be read: a fault of this server", exc_info=error)


class Feed(EventSourceResponse):
    """One page's stream of pictures, until the page or the broadcast ends."""

    def __init__(self, broadcast: Broadcast, stalled_s: float = STALLED_S) -> None:
        super().__init__(broadcast.messages(), ping=HEARTBEAT_S, sep="\n", send_timeout=stalled_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            log.info("a page has stalled and was disconnected")
