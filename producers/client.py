"""The collector's client for Python programs: sends events until each is accepted or rejected, always under the same id."""

import gzip
import http.client
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any
from urllib.parse import urlsplit

import msgspec

from clickstream.envelope import Event
from clickstream.errors import RetryLater, UserMistake
from clickstream.identifiers import ENTROPY_BITS, uuid7
from clickstream.web.listening import is_loopback

MOST_EVENTS = 500
"""Of one request."""
_LONGEST_WAIT = 10.0


class Outcome(msgspec.Struct, frozen=True):
    """What became of one event; ``errors`` (path and reason) only for a rejected one."""

    event_id: str | None
    status: str
    errors: tuple[dict[str, str], ...] = ()
    not_kept: tuple[str, ...] = ()
    """The paths of properties that no type declares; the rest of the event was taken."""
    assigned: dict[str, str | int] = {}
    """The ``occurred_at`` of an event without one: the collector's time."""


class _Answer(msgspec.Struct):
    events: list[Outcome] = []
    error: str = ""


class CollectorClient:
    """``CollectorClient("http://127.0.0.1:8081").send([{"type": "page_view", …}])``.

    ``url`` is the collector's root. Not bound to a connection; may be used from many threads.
    """

    def __init__(
        self,
        url: str,
        key: str = "",
        *,
        timeout: float = 15.0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url.rstrip("/") + "/v1/events"
        self._headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        proxies = (
            urllib.request.ProxyHandler({}) if is_loopback(urlsplit(url).hostname or "") else urllib.request.ProxyHandler()
        )
        self._open = urllib.request.build_opener(proxies).open
        self._timeout = timeout
        self._sleep = sleep
        self._clock = clock
        self._random = Random()

    def send(self, events: Sequence[Mapping[str, Any] | Event], deadline: float = 60.0) -> list[Outcome]:
        """The fate of each event, in order: ``accepted`` or ``rejected``.

        Waits and repeats while the collector says 429 or 503 or cannot be reached, at most ``deadline`` seconds; then raises
        RetryLater. An event without an ``event_id`` is given one before it is sent first, so repeating never counts it twice.
        Raises UserMistake when the collector refuses a request as a whole (a wrong key, say).
        """
        given = [msgspec.to_builtins(event) if isinstance(event, Event) else event for event in events]
        named = [{**event, "event_id": event.get("event_id") or new_id()} for event in given]
        until = self._clock() + deadline
        parts = (named[start : start + MOST_EVENTS] for start in range(0, len(named), MOST_EVENTS))
        return [outcome for part in parts for outcome in self._send_part(part, until)]

    def _send_part(self, events: list[dict[str, Any]], until: float) -> list[Outcome]:
        outcomes: list[Outcome | None] = [None] * len(events)
        failures = 0
        while missing := [place for place, outcome in enumerate(outcomes) if outcome is None]:
            answers, wait = self._post([events[place] for place in missing])
            for place, answer in zip(missing, answers, strict=False):
                if answer.status != "retry":
                    outcomes[place] = answer
            if None not in outcomes:
                break
            failures += 1
            backoff = min(_LONGEST_WAIT, 0.2 * 2**failures)
            # spread, so that many clients that were turned away together do not come back together
            pause = max(wait, backoff) * self._random.uniform(1.0, 1.5)
            if self._clock() + pause > until:
                raise RetryLater(f"the collector did not take {len(missing)} events in time")
            self._sleep(pause)
        return [outcome for outcome in outcomes if outcome is not None]

    def _post(self, events: list[dict[str, Any]]) -> tuple[list[Outcome], float]:
        """The answers (none when the request got through to nobody) and the seconds that the collector asks to wait."""
        body = gzip.compress(msgspec.json.encode(events), compresslevel=1)
        request = urllib.request.Request(self._url, body, self._headers)
        try:
            with self._open(request, timeout=self._timeout) as response:
                return _answer(response.read()).events, 0.0
        except urllib.error.HTTPError as error:
            with error:
                content = error.read()
            if error.code == 422:
                return _answer(content).events, 0.0
            if error.code in (408, 429) or error.code >= 500:
                asked = error.headers.get("Retry-After") or ""
                return _answer(content).events, float(asked) if asked.isdecimal() else 0.0
            raise UserMistake(
                f"the collector refuses: {error.code} {_answer(content).error}",
                hint="after 401 or 403 look at the API key; other answers name what is wrong",
            ) from error
        except (OSError, http.client.HTTPException):
            # refused, reset, timed out: it may have been taken, and the same ids make sending again harmless
            return [], 0.0


def _answer(content: bytes) -> _Answer:
    try:
        return msgspec.json.decode(content, type=_Answer)
    except msgspec.MsgspecError:
        return _Answer()  # a proxy's own page


def new_id() -> str:
    return uuid7(time.time_ns() // 1_000_000, secrets.randbits(ENTROPY_BITS))
