"""The newest message for many readers, none of which can hold the others up."""

import asyncio
from collections.abc import AsyncGenerator


class Broadcast:
    """Every message is a whole picture: a slow reader goes on with the newest. Belongs to one event loop."""

    def __init__(self) -> None:
        self.readers = 0
        self._newest: bytes | None = None
        self._changed = asyncio.Event()
        self.watched = asyncio.Event()
        """Set while there is a reader."""
        self.closed = False

    def send(self, message: bytes) -> None:
        """Nobody is shown later what nobody reads now: the next reader must not see what was true some time ago."""
        self._newest = message if self.readers else None
        self._wake()

    async def messages(self) -> AsyncGenerator[bytes, None]:
        """The newest message at once, then each that follows, until the broadcast is closed."""
        self.readers += 1
        self.watched.set()
        seen = None
        try:
            while True:
                if self._newest is not seen:
                    seen = self._newest
                    assert seen is not None, "kept while there are readers"
                    yield seen
                elif self.closed:
                    return
                else:
                    await self._changed.wait()
        finally:
            self.readers -= 1
            if not self.readers:
                self.watched.clear()
                self._newest = None

    def close(self) -> None:
        """Ends every reader's messages after the newest."""
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
