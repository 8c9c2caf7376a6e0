"""One producer of messages, many readers, none of whom can hold the others up."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator


class Subscription:
    """One reader's queue: bounded, and when it is full the oldest message goes. Belongs to one event loop."""

    def __init__(self, capacity: int) -> None:
        self._waiting: deque[bytes] = deque(maxlen=capacity)
        self._arrived = asyncio.Event()
        self._closed = False
        #: Messages this reader was too slow to see.
        self.dropped = 0

    def put(self, message: bytes) -> None:
        self.dropped += len(self._waiting) == self._waiting.maxlen
        self._waiting.append(message)
        self._arrived.set()

    def close(self) -> None:
        self._closed = True
        self._arrived.set()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Messages in order, until the broadcast is closed."""
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            if self._closed:
                return
            self._arrived.clear()
            await self._arrived.wait()


class Broadcast:
    """Hands every message to every subscription, and the newest one to each new subscription at once.

    Every message stands for the whole picture, so a reader that missed some has missed nothing that matters.
    """

    def __init__(self, capacity: int = 4) -> None:
        self._capacity = capacity
        self._readers: set[Subscription] = set()
        self._newest: bytes | None = None
        self._watched = asyncio.Event()
        self.closed = False

    def __len__(self) -> int:
        return len(self._readers)

    def send(self, message: bytes) -> None:
        self._newest = message
        for reader in self._readers:
            reader.put(message)

    def subscribe(self) -> Subscription:
        """A queue that the caller gives back to :meth:`unsubscribe`."""
        reader = Subscription(self._capacity)
        if self._newest is not None:
            reader.put(self._newest)
        if self.closed:
            reader.close()
        self._readers.add(reader)
        self._watched.set()
        return reader

    def unsubscribe(self, reader: Subscription) -> None:
        self._readers.discard(reader)
        if not self._readers:
            self._watched.clear()
            # whoever comes next must not be shown what was true some time ago
            self._newest = None

    async def watched(self) -> None:
        """Returns as soon as there is a reader."""
        await self._watched.wait()

    def close(self) -> None:
        """Ends every subscription after what it still holds."""
        self.closed = True
        for reader in self._readers:
            reader.close()
