"""Ends a shard's process that hangs, so that its lease moves on.

KCL renews the lease of a shard whose process does not answer, for ever; its own ``timeoutInSeconds`` would stop the whole JVM
and counts a dependency's outage as a hang. Here waiting for a dependency that is known to be down is no hang.
"""

import faulthandler
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import structlog

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger()

EXIT_HUNG = 70
_LOOK_S = 1.0
#: A gap between two looks that only a stopped process (or a sleeping machine) can explain.
_SUSPENDED_S = 10.0


class Watch:
    """What is being done, and since when. Thread-safe, since each work has one thread; times are monotonic seconds."""

    def __init__(self, hung_after_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._hung_after_s = hung_after_s
        self._clock = clock
        self._since: dict[str, float] = {}
        self._looked = clock()
        self._woke = self._looked

    @contextmanager
    def over(self, work: str) -> Iterator[None]:
        """Watch over a piece of work of this name."""
        self._since[work] = self._clock()
        try:
            yield
        finally:
            del self._since[work]

    def hanging(self, last_trouble: float | None) -> str | None:
        """The work that takes too long, if any. ``last_trouble``: when a dependency last failed; waiting for it is no hang."""
        now = self._clock()
        if now - self._looked > _SUSPENDED_S:
            self._woke = now
        self._looked = now
        excused = max(self._woke, last_trouble if last_trouble is not None else self._woke)
        for work, since in list(self._since.items()):
            if now - max(since, excused) > self._hung_after_s:
                return work
        return None


def start(watch: Watch, last_trouble: Callable[[], float | None], *, look_s: float = _LOOK_S) -> None:
    """Look every ``look_s`` seconds, on a thread of its own; a hang ends the process with all stacks on stderr."""

    def look() -> None:
        while (work := watch.hanging(last_trouble())) is None:
            time.sleep(look_s)
        log.error("the shard process hangs and is ended", work=work)
        faulthandler.dump_traceback(file=2, all_threads=True)
        os._exit(EXIT_HUNG)

    threading.Thread(target=look, name="watchdog", daemon=True).start()


class WatchedExecutor(ThreadPoolExecutor):
    """One thread, whose work is watched."""

    def __init__(self, watch: Watch, name: str) -> None:
        super().__init__(1, thread_name_prefix=name)
        self._watch = watch
        self._name = name

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        def watched() -> T:
            with self._watch.over(self._name):
                return fn(*args, **kwargs)

        return super().submit(watched)
