"""The life of an HTTP server of ours: ready, serving until a signal, drained."""

import signal
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.types import ASGIApp


class Server(uvicorn.Server):
    """Calls ``on_ready`` once requests are answered, and ``on_stop`` when the end begins.

    Requests under way then have ``drain_s`` more. ``options`` are uvicorn's.
    """

    def __init__(
        self, app: ASGIApp, *, drain_s: int, on_ready: Callable[[], None], on_stop: Callable[[], None], **options: Any
    ) -> None:
        # no access log: a request's line may hold a key
        quiet: dict[str, Any] = {"log_config": None, "access_log": False, "server_header": False}
        super().__init__(uvicorn.Config(app, timeout_graceful_shutdown=drain_s, **quiet, **options))
        self._on_ready = on_ready
        self._on_stop = on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stop()
        await super().shutdown(sockets)

    def serve_until_signal(self, listener: socket.socket) -> None:
        """Returns at SIGTERM, with every request answered; Ctrl-C raises KeyboardInterrupt."""
        # uvicorn raises the signal again for the handler that was there before; the default one would look like a crash
        signal.signal(signal.SIGTERM, lambda _, __: None)
        self.run(sockets=[listener])
