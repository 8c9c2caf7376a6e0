"""A circuit breaker per AWS service, at the client: a dead dependency is left alone for a while, and everybody can see that.

It stands in the client's own event hooks, so no call goes around it, whichever sink or store makes it. Times are monotonic: a
clock that is set back must not leave a dependency alone for an hour.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from clickstream.errors import Forbidden, RetryLater, Throttled
from clickstream.failures.refusals import kind_of

log = structlog.get_logger()

#: Calls in a row, each with botocore's own retry, that must fail until a dependency counts as down.
FAILURES = 5
#: Then one call in so many seconds finds out whether it is back; that much is added to an outage at most.
RESET_S = 3.0


class CircuitOpen(RetryLater):
    """The call was not made: its dependency is known to be down. The next is let through after ``retry_after_s`` seconds."""

    def __init__(self, dependency: str, retry_after_s: float) -> None:
        super().__init__(f"{dependency}: known to be down, asked again in {retry_after_s:.1f} s")
        self.retry_after_s = retry_after_s


class _Breaker:
    """Closed while ``opened_at`` is None; then open for ``reset_s``, and half-open until a call has told how it is."""

    def __init__(self) -> None:
        self.failures = 0
        self.opened_at: float | None = None


class Breakers:
    """The breakers of one process. Thread-safe: a lost count of two threads' failures opens one a call later."""

    def __init__(
        self, *, failures: int = FAILURES, reset_s: float = RESET_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._failures = failures
        self._reset_s = reset_s
        self._clock = clock
        self._breakers: dict[str, _Breaker] = {}
        self.last_trouble: float | None = None
        """When a call failed or was refused last, by the monotonic clock."""

    def guard(self, dependency: str, client: Any) -> None:
        """From now on a boto3 client's calls raise CircuitOpen while its dependency is down."""
        self._breakers[dependency] = _Breaker()
        client.meta.events.register("before-call", lambda **_: self.admit(dependency))
        client.meta.events.register(
            "after-call", lambda http_response, parsed, **_: self.answered(dependency, http_response.status_code, parsed)
        )
        client.meta.events.register("after-call-error", lambda **_: self.failed(dependency))

    def states(self) -> Mapping[str, str]:
        """Dependency → ``open`` or ``half-open``; those that are well are left out."""
        return {
            dependency: "open" if self._left_s(breaker) > 0 else "half-open"
            for dependency, breaker in self._breakers.items()
            if breaker.opened_at is not None
        }

    def admit(self, dependency: str) -> None:
        """Raises CircuitOpen unless a call may be made now."""
        if (left_s := self._left_s(self._breakers[dependency])) > 0:
            self.last_trouble = self._clock()
            raise CircuitOpen(dependency, left_s)

    def answered(self, dependency: str, status: int, answer: Mapping[str, Any]) -> None:
        """A call got an answer; one that says "not now" is a failure, one that says "no" or "you may not" is not."""
        code = str(answer.get("Error", {}).get("Code"))
        if kind_of(code) is Throttled or (status >= 500 and kind_of(code) is not Forbidden):
            self.failed(dependency)
            return
        breaker = self._breakers[dependency]
        breaker.failures = 0
        if breaker.opened_at is not None:
            breaker.opened_at = None
            log.warning("circuit breaker", dependency=dependency, state="closed")

    def failed(self, dependency: str) -> None:
        """A call got no answer."""
        now = self.last_trouble = self._clock()
        breaker = self._breakers[dependency]
        breaker.failures += 1
        # one that was under way as it opened does not make it longer; a trial that failed does
        if breaker.failures >= self._failures and self._left_s(breaker) <= 0:
            log.warning("circuit breaker", dependency=dependency, state="open")
            breaker.opened_at = now

    def _left_s(self, breaker: _Breaker) -> float:
        opened_at = breaker.opened_at
        return 0.0 if opened_at is None else opened_at + self._reset_s - self._clock()
