"""Calls again until the answer comes or the lease is gone, and tells what a shard waits for because it is not allowed to."""

import random
import threading
import time
from collections.abc import Callable, Mapping
from math import inf
from typing import Any, TypeVar

import structlog

from clickstream.consumers.runtime.faults.breakers import CircuitOpen
from clickstream.errors import Forbidden, RetryLater

#: The same refusal is told again after so long.
AGAIN_S = 60.0

T = TypeVar("T")


class Waiting:
    """The refusals that are being waited out, each under the key of its call. Thread-safe: every call has its own key.

    A refusal is told once, then at a slow pace, and when it is over.
    ``place`` says where the shard stands, for the log lines.
    """

    def __init__(
        self,
        place: Callable[[], Mapping[str, Any]] = dict,
        *,
        clock: Callable[[], float] = time.monotonic,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._place = place
        self._clock = clock
        self._clock_ms = clock_ms
        #: Per call: its refusal, since when (ms since the epoch), and when it was last told (by the monotonic clock).
        self._refusals: dict[object, tuple[Forbidden, int, float]] = {}
        self.last_trouble: float | None = None
        """When a call had to wait last, by the monotonic clock: waiting for a permission or a webhook is no hang."""

    def troubled(self) -> float:
        """Some call has to wait, for whatever reason; now, by the clock."""
        self.last_trouble = now = self._clock()
        return now

    def refused(self, call: object, error: Forbidden) -> None:
        now = self.troubled()
        _, since_ms, told_s = self._refusals.get(call, (error, self._clock_ms(), -inf))
        is_due = now - told_s >= AGAIN_S
        self._refusals[call] = error, since_ms, now if is_due else told_s
        if is_due:
            structlog.get_logger().error(
                "the shard waits: not allowed",
                action=error.action,
                resource=error.resource,
                error=str(error),
                runbook="docs/runbook.md#a-shard-may-not-do-its-work",
                **self._place(),
            )

    def over(self, call: object) -> None:
        """The call has got another answer, or nobody wants it any more."""
        if (refusal := self._refusals.pop(call, None)) is None:
            return
        error, since_ms, _ = refusal
        waited_s = max(0, self._clock_ms() - since_ms) / 1000
        structlog.get_logger().info(
            "the shard waits no longer", action=error.action, resource=error.resource, waited_s=waited_s, **self._place()
        )

    def current(self) -> dict[str, str | int]:
        """``action``, ``resource`` and ``since`` (ms since the epoch) of the longest wait; empty when there is none."""
        oldest = min(list(self._refusals.values()), key=lambda refusal: refusal[1], default=None)
        if oldest is None:
            return {}
        error, since_ms, _ = oldest
        return {"action": error.action, "resource": error.resource, "since": since_ms}


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
                        self._waiting.troubled()
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
