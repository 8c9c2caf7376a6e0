"""A circuit breaker per AWS service, at the client: a dead dependency is left alone for a while, and everybody can see that.

It stands in the client's own event hooks, so no call goes around it, whichever sink or store makes it. pybreaker holds its lock
for as long as a call lasts, which would put a sink's parallel writes in a row; so calls are only admitted and reported here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import pybreaker
import structlog

from clickstream.refusals import Kind, kind_of
from consumers.runtime.outages import CircuitOpen

log = structlog.get_logger()

#: Calls in a row, each with botocore's own retry, that must fail until a dependency counts as down.
FAILURES = 5
#: Then one call in so many seconds finds out whether it is back; that much is added to an outage at most.
RESET_S = 3.0


class Breakers:
    """The breakers of one process. Thread-safe."""

    def __init__(
        self,
        *,
        failures: int = FAILURES,
        reset_s: float = RESET_S,
        clock: Callable[[], float] = time.monotonic,
        utc: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._failures = failures
        self._reset = timedelta(seconds=reset_s)
        self._clock = clock
        self._utc = utc
        self._breakers: dict[str, tuple[pybreaker.CircuitBreaker, pybreaker.CircuitMemoryStorage]] = {}
        self.last_trouble: float | None = None
        """When a call failed or was refused last, by the monotonic clock."""

    def guard(self, dependency: str, client: Any) -> None:
        """From now on a boto3 client's calls raise CircuitOpen while its dependency is down."""
        storage = pybreaker.CircuitMemoryStorage(pybreaker.STATE_CLOSED)
        breaker = pybreaker.CircuitBreaker(
            fail_max=self._failures,
            reset_timeout=self._reset.total_seconds(),
            state_storage=storage,
            listeners=[_Log()],
            name=dependency,
            throw_new_error_on_trip=False,
        )
        self._breakers[dependency] = breaker, storage
        client.meta.events.register("before-call", lambda **_: self.admit(dependency))
        client.meta.events.register(
            "after-call", lambda http_response, parsed, **_: self.answered(dependency, http_response.status_code, parsed)
        )
        client.meta.events.register("after-call-error", lambda **_: self.failed(dependency))

    def states(self) -> Mapping[str, str]:
        """Dependency → ``open`` or ``half-open``; those that are well are left out."""
        return {
            dependency: breaker.current_state
            for dependency, (breaker, _) in self._breakers.items()
            if breaker.current_state != pybreaker.STATE_CLOSED
        }

    def admit(self, dependency: str) -> None:
        """Raises CircuitOpen unless a call may be made now."""
        breaker, storage = self._breakers[dependency]
        if breaker.current_state != pybreaker.STATE_OPEN or storage.opened_at is None:
            return
        if (left_s := (storage.opened_at + self._reset - self._utc()).total_seconds()) > 0:
            self.last_trouble = self._clock()
            raise CircuitOpen(dependency, left_s)

    def answered(self, dependency: str, status: int, answer: Mapping[str, Any]) -> None:
        """A call got an answer; one that says "not now" is a failure, one that says "no" is not."""
        if status >= 500 or kind_of(str(answer.get("Error", {}).get("Code"))) is Kind.SLOWER:
            self.failed(dependency)
        else:
            self._report(dependency, _well)

    def failed(self, dependency: str) -> None:
        """A call got no answer."""
        self.last_trouble = self._clock()
        self._report(dependency, _ill)

    def _report(self, dependency: str, outcome: Callable[[], None]) -> None:
        try:
            self._breakers[dependency][0].call(outcome)
        except (_Ill, pybreaker.CircuitBreakerError):
            return  # the breaker has counted it; or it had opened while this call was under way


class _Ill(Exception):
    """What a failed call is to pybreaker."""


def _well() -> None:
    return


def _ill() -> NoReturn:
    raise _Ill


class _Log(pybreaker.CircuitBreakerListener):
    def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:
        log.warning("circuit breaker", dependency=cb.name, state=new_state.name, was=old_state.name if old_state else None)
