"""The collector's web server, which slow clients cannot hold up."""

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from clickstream.web.server import Server

#: Requests under way have this long when the end has begun: a body to arrive and Kinesis to answer.
DRAIN_S = 20
#: Connections at once; beyond, the answer is 503. Each costs a few kilobytes and at most 64 KiB of unread body.
MOST_CONNECTIONS = 2_000
#: For a connection to send the whole head of its next request.
HEAD_S = 5.0
#: For a client to read its answer.
ANSWER_S = 10.0
_HEAD_BYTES = 16 * 1024


class DeadlineProtocol(H11Protocol):
    """Closes a connection on which ``HEAD_S`` after its first byte no request is under way.

    It also closes one whose client does not read its answer within ``ANSWER_S``. uvicorn's own keep-alive time-out ends with
    the first byte that comes, so a client that sends its head byte by byte, or goes on sending the body of a request that was
    refused, could stay for ever.
    """

    _idle: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the parent
        super().connection_made(transport)
        self._idle = self.loop.call_later(HEAD_S, self._give_up)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            if self._idle is not None:
                self._idle.cancel()
                self._idle = None
        elif self._idle is None:
            self._idle = self.loop.call_later(HEAD_S, self._give_up)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # uvicorn closes an idle connection in good order, which waits for ever for a peer that reads nothing
        self.loop.call_later(ANSWER_S, self._give_up_unread)

    def pause_writing(self) -> None:
        super().pause_writing()
        # the next request on this connection waits for the client to read, and is under way for as long
        self._unread = self.loop.call_later(ANSWER_S, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        assert self._unread is not None, "the writing was paused"
        self._unread.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._idle, self._unread):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def _give_up_unread(self) -> None:
        under_way = self.cycle is not None and not self.cycle.response_complete
        if not under_way and self.transport.get_write_buffer_size():
            self.transport.abort()

    def _give_up(self) -> None:
        self._idle = None
        # abort, not close: a peer that reads nothing must not keep what is unsent in memory
        self.transport.abort()


def server(app: ASGIApp, *, on_ready: Callable[[], None], on_stop: Callable[[], None]) -> Server:
    """The collector's server: bounded in connections, in bytes of a head, and in how long a client may be slow."""
    return Server(
        app,
        drain_s=DRAIN_S,
        on_ready=on_ready,
        on_stop=on_stop,
        http=DeadlineProtocol,
        ws="none",
        lifespan="off",
        # addresses.py decides whose X-Forwarded-For counts
        proxy_headers=False,
        limit_concurrency=MOST_CONNECTIONS,
        h11_max_incomplete_event_size=_HEAD_BYTES,
        timeout_keep_alive=60,
    )
