"""A TCP proxy on loopback that can turn into bad weather: it stands between the workers and one AWS service.

What passes is not understood, only forwarded, so the same proxy serves boto3, the AWS SDK for Java and HTTP/2. All methods of
:class:`Proxy` may be called from any thread; the sockets belong to a thread of its own.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from types import TracebackType
from typing import Self

import msgspec

HOST = "127.0.0.1"
_CHUNK = 65_536
#: A reset instead of an orderly end when such a socket is closed.
_LINGER_0 = struct.pack("ii", 1, 0)


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to connections. The default is no fault at all."""

    refuse: bool = False
    """New connections are refused, as by a host without the server."""
    black_hole: bool = False
    """Bytes are held back in both directions, as by a partition; they go on when it ends."""
    latency_s: float = 0.0
    """Added to every chunk, in each direction."""
    bytes_per_s: float | None = None
    """Of each connection and direction."""


FAIR = Weather()


class Proxy:
    """Forwards ``127.0.0.1:port`` to ``127.0.0.1:target``; a context manager."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.connections = 0
        """Accepted so far."""
        # bound without ever listening: the port stays ours, and refuses, while the listener is closed
        self._holder = _bound(0)
        self.port: int = self._holder.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy-{self.port}", daemon=True)
        self._weather = FAIR
        self._clear = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[asyncio.StreamWriter] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self.set(FAIR)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._holder.close()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def set(self, weather: Weather) -> None:
        """In force on return. Refusing concerns new connections only; see :meth:`reset`."""
        asyncio.run_coroutine_threadsafe(self._set(weather), self._loop).result()

    def reset(self) -> None:
        """Every open connection ends with a reset, and whatever was on its way is lost."""
        asyncio.run_coroutine_threadsafe(self._reset(), self._loop).result()

    async def _set(self, weather: Weather) -> None:
        self._weather = weather
        if weather.refuse and self._server is not None:
            self._server.close()
            self._server = None
        elif not weather.refuse and self._server is None:
            self._server = await asyncio.start_server(self._accept, sock=_bound(self.port))
        if weather.black_hole:
            self._clear.clear()
        else:
            self._clear.set()

    async def _reset(self) -> None:
        for writer in list(self._open):
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
            writer.transport.abort()

    async def _close(self) -> None:
        await self._set(Weather(refuse=True))
        await self._reset()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        try:
            await self._forward(reader, writer)
        except (OSError, asyncio.CancelledError):
            # either end went away, which is this program's business; a cancelled handler would be logged by asyncio as a fault
            writer.transport.abort()
        finally:
            self._open.discard(writer)
            self._tasks.discard(task)
            writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection(HOST, self.target)
        self._open.add(upstream_writer)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, upstream_writer))
                both.create_task(self._pump(upstream_reader, writer))
        except* OSError:
            writer.transport.abort()
        finally:
            self._open.discard(upstream_writer)
            upstream_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(_CHUNK):
            if self._weather.latency_s:
                await asyncio.sleep(self._weather.latency_s)
            while chunk:
                # piece by piece, so that the pace is the weather's of now
                pace = self._weather.bytes_per_s
                piece, chunk = (chunk, b"") if pace is None else (chunk[: int(pace / 10) + 1], chunk[int(pace / 10) + 1 :])
                if pace is not None:
                    await asyncio.sleep(len(piece) / pace)
                await self._clear.wait()
                writer.write(piece)
                await writer.drain()
        if writer.can_write_eof() and not writer.is_closing():
            writer.write_eof()


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    bound.bind((HOST, port))
    return bound
