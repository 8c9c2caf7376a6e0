"""Calls again until the answer comes or the lease is gone, and tells what a shard waits for because it is not allowed to."""

import random
import threading
import time
from collections.abc import Callable
from math import inf
from typing import Any, TypeVar

import structlog

from clickstream.consumers.runtime.faults.breakers import CircuitOpen
from clickstream.errors import Forbidden, RetryLater

#: The same refusal is told again after so long.
AGAIN_S = 60.0
#: Of the waits between two calls: the first, before its jitter, and the longest.
FIRST_S, MOST_S = 0.1, 5.0

T = TypeVar("T")


class Patience:
    """Calls again until it works: exponential backoff with full jitter, ended only by ``stop``.

    Waiting is what a shard must do while a store is down, or refuses it: Kinesis keeps the records, and KCL renews the lease
    meanwhile. A refusal is told once, then at a slow pace, and when it is over. Thread-safe: every call has its own key.
    """

    def __init__(
        self,
        stop: threading.Event,
        log: Callable[[], Any] = structlog.get_logger,
        *,
        clock: Callable[[], float] = time.monotonic,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._stop = stop
        self._log = log
        self._clock = clock
        self._clock_ms = clock_ms
        #: Per call: its refusal, since when (ms since the epoch), and when it was last told (by the monotonic clock).
        self._refusals: dict[object, tuple[Forbidden, int, float]] = {}
        self.last_trouble: float | None = None
        """When a call had to wait last, by the monotonic clock: waiting for a permission or a webhook is no hang."""

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
                    self.last_trouble = now = self._clock()
                    if isinstance(error, Forbidden):
                        self._refused(this_call, error, now)
                    else:
                        self._over(this_call)
                        if attempt == 1 or attempt % 10 == 0:
                            self._log().warning("waiting for a dependency", error=str(error), attempt=attempt)
                    if self._stop.wait(_wait_s(error, attempt)):
                        raise
        finally:
            self._over(this_call)

    def current(self) -> dict[str, str | int]:
        """``action``, ``resource`` and ``since`` (ms since the epoch) of the longest refusal; empty when there is none."""
        oldest = min(list(self._refusals.values()), key=lambda refusal: refusal[1], default=None)
        if oldest is None:
            return {}
        error, since_ms, _ = oldest
        return {"action": error.action, "resource": error.resource, "since": since_ms}

    def _refused(self, call: object, error: Forbidden, now: float) -> None:
        _, since_ms, told_s = self._refusals.get(call, (error, self._clock_ms(), -inf))
        is_due = now - told_s >= AGAIN_S
        self._refusals[call] = error, since_ms, now if is_due else told_s
        if is_due:
            self._log().error(
                "the shard waits: not allowed",
                action=error.action,
                resource=error.resource,
                error=str(error),
                runbook="docs/runbook.md#a-shard-may-not-do-its-work",
            )

    def _over(self, call: object) -> None:
        """The call has got another answer, or nobody wants it any more."""
        if (refusal := self._refusals.pop(call, None)) is not None:
            error, since_ms, _ = refusal
            waited_s = max(0, self._clock_ms() - since_ms) / 1000
            self._log().info("the shard waits no longer", action=error.action, resource=error.resource, waited_s=waited_s)


def _wait_s(error: RetryLater, attempt: int) -> float:
    if isinstance(error, CircuitOpen):
        # nobody is let through before, and all that wait are let through at once
        return error.retry_after_s + random.uniform(0, FIRST_S)
    return random.uniform(0, min(MOST_S, FIRST_S * 2**attempt))
