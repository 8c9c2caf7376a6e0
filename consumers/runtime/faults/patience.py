"""Calls again until the answer comes or the lease is gone."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TypeVar

from clickstream.errors import Forbidden, RetryLater
from consumers.runtime.faults.breakers import CircuitOpen
from consumers.runtime.faults.waiting import Waiting

T = TypeVar("T")


class Patience:
    """Calls again until it works: exponential backoff with full jitter, ended only by ``stop``.

    Waiting is what a shard must do while a store is down, or refuses it: Kinesis keeps the records, and KCL renews the lease
    meanwhile. What it is not allowed to do is told by ``waiting``, all else by ``report``.
    """

    def __init__(
        self,
        *,
        stop: threading.Event,
        report: Callable[[RetryLater, int], None],
        waiting: Waiting | None = None,
        first_s: float = 0.1,
        most_s: float = 5.0,
    ) -> None:
        self._stop = stop
        self._report = report
        self._waiting = waiting or Waiting()
        self._first_s = first_s
        self._most_s = most_s

    def call(self, action: Callable[[], T]) -> T:
        """The action's result; its last RetryLater when ``stop`` was set meanwhile."""
        attempt = 0
        this_call = object()
        try:
            while True:
                try:
                    return action()
                except RetryLater as error:
                    attempt += 1
                    if isinstance(error, Forbidden):
                        self._waiting.refused(this_call, error)
                    else:
                        self._waiting.over(this_call)
                        self._report(error, attempt)
                    if self._stop.wait(self._wait_s(error, attempt)):
                        raise
        finally:
            self._waiting.over(this_call)

    def _wait_s(self, error: RetryLater, attempt: int) -> float:
        if isinstance(error, CircuitOpen):
            # nobody is let through before, and all that wait are let through at once
            return error.retry_after_s + random.uniform(0, self._first_s)
        return random.uniform(0, min(self._most_s, self._first_s * 2**attempt))
