"""Concurrent look-ups of single keys as few calls of many: requests that arrive during a call share the next one."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

from clickstream.errors import Rejected

T = TypeVar("T")


class Coalesced(Generic[T]):
    """``look`` may block, is called on threads, and answers for the keys that exist. A lone key is looked up at once.

    ``at_once``: calls under way at most; ``most``: keys of one call. An exception of ``look`` reaches every caller of that
    call. Rejected is one key's fault: the keys are then looked up one by one, and only the callers of the bad one get it.
    """

    def __init__(self, look: Callable[[Sequence[str]], Mapping[str, T]], *, at_once: int, most: int) -> None:
        self._look = look
        self._slots = asyncio.Semaphore(at_once)
        self._most = most
        self._gathering: dict[str, None] | None = None
        self._found: asyncio.Task[Mapping[str, T | Rejected]]

    async def of(self, key: str) -> T | None:
        if self._gathering is None or len(self._gathering) == self._most:
            self._gathering = {}
            self._found = asyncio.create_task(self._look_up(self._gathering))
        self._gathering[key] = None
        # shielded: a caller that is cancelled must not take the answer from the others
        found = (await asyncio.shield(self._found)).get(key)
        if isinstance(found, Rejected):
            raise found
        return found

    async def _look_up(self, keys: dict[str, None]) -> Mapping[str, T | Rejected]:
        async with self._slots:
            if self._gathering is keys:
                self._gathering = None
            return await run_in_threadpool(self._each, list(keys))

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
        self._reads = Coalesced(lambda _: {_THE_ONE: read()}, at_once=1, most=2)
        self._for_s = for_s
        self._clock_s = clock_s
        self._known: tuple[T, float] | None = None

    async def value(self) -> T:
        now_s = self._clock_s()
        if self._known is not None and now_s - self._known[1] < self._for_s:
            return self._known[0]
        value = await self._reads.of(_THE_ONE)
        assert value is not None
        self._known = value, now_s
        return value


_THE_ONE = ""
