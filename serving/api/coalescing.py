"""Concurrent look-ups of single keys as few calls of many: requests that arrive during a call share the next one."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

from clickstream.errors import Rejected

T = TypeVar("T")


class Coalesced(Generic[T]):
    """``look`` may block, is called on threads, and answers for the keys that exist. A lone key is looked up at once.

    ``at_once``: calls under way at most; ``most``: keys of one call. An exception of ``look`` reaches every caller of that
    call. Rejected is one key's fault: the keys are then looked up one by one, and only the callers of the bad one get it.
    What was found, or found to be missing, is the answer for ``for_s`` seconds from when it was looked up.
    """

    def __init__(
        self,
        look: Callable[[Sequence[str]], Mapping[str, T]],
        *,
        at_once: int,
        most: int,
        for_s: float = 0.0,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look = look
        self._slots = asyncio.Semaphore(at_once)
        self._most = most
        self._gathering: dict[str, None] | None = None
        self._found: asyncio.Task[Mapping[str, T | Rejected]]
        self._for_s = for_s
        self._clock_s = clock_s
        self._known: dict[str, tuple[T | Rejected | None, float]] = {}
        """The latest last, with the second until which it is the answer."""

    async def of(self, key: str) -> T | None:
        found = await self._of(key)
        if isinstance(found, Rejected):
            raise found
        return found

    async def _of(self, key: str) -> T | Rejected | None:
        now_s = self._clock_s()
        while self._known and next(iter(self._known.values()))[1] <= now_s:
            del self._known[next(iter(self._known))]
        if key in self._known:
            return self._known[key][0]
        if self._gathering is None or len(self._gathering) == self._most:
            self._gathering = {}
            self._found = asyncio.create_task(self._look_up(self._gathering))
        self._gathering[key] = None
        # shielded: a caller that is cancelled must not take the answer from the others
        return (await asyncio.shield(self._found)).get(key)

    async def _look_up(self, keys: dict[str, None]) -> Mapping[str, T | Rejected]:
        async with self._slots:
            if self._gathering is keys:
                self._gathering = None
            until_s = self._clock_s() + self._for_s
            found = await run_in_threadpool(self._each, list(keys))
            for key in keys:
                self._known.pop(key, None)
                self._known[key] = found.get(key), until_s
            return found

    def _each(self, keys: Sequence[str]) -> Mapping[str, T | Rejected]:
        try:
            return self._look(keys)
        except Rejected as refused:
            if len(keys) == 1:
                return {keys[0]: refused}
        return {key: found for alone in keys for key, found in self._each([alone]).items()}


class Remembered(Generic[T]):
    """One value for many callers, read at most every ``for_s`` seconds; ``read`` may block and is called on a thread."""

    def __init__(self, read: Callable[[], T], for_s: float, clock_s: Callable[[], float]) -> None:
        self._reads = Coalesced(lambda _: {_THE_ONE: read()}, at_once=1, most=2, for_s=for_s, clock_s=clock_s)

    async def value(self) -> T:
        value = await self._reads.of(_THE_ONE)
        assert value is not None
        return value


_THE_ONE = ""
