"""Runs the web application in this process until a signal."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from clickstream.listening import is_loopback, listen, url

__all__ = ["DRAIN_S", "Server", "is_loopback", "listen", "run", "url"]

#: Requests under way have this long when the end has begun; open streams are ended at once.
DRAIN_S = 10


class Server(uvicorn.Server):
    """Calls ``on_ready`` once requests are answered, and ``on_stop`` before it waits for open connections to end."""

    def __init__(self, app: ASGIApp, *, on_ready: Callable[[], None], on_stop: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=DRAIN_S,
            )
        )
        self._on_ready = on_ready
        self._on_stop = on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stop()
        await super().shutdown(sockets)


def run(server: Server, listener: socket.socket) -> None:
    """Serve until SIGTERM (returns) or Ctrl-C (raises KeyboardInterrupt)."""
    # uvicorn gives the signal back to whoever was there before it; by default SIGTERM would then look like a crash
    signal.signal(signal.SIGTERM, lambda _, __: None)
    server.run(sockets=[listener])
