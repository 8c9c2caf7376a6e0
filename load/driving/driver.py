"""The open-loop driver: records leave at their intended times, whatever the stream does, and waits count from there."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Protocol
from urllib.parse import urlsplit

from hdrh.histogram import HdrHistogram

from clickstream.errors import ClickstreamError, UserMistake
from clickstream.load.driving.pace import wait_until
from clickstream.load.traffic.faults import Emission
from clickstream.load.traffic.plan import Plan
from clickstream.load.verdict.send_log import SendLog
from clickstream.producers.publisher.puts import Delivered, Settled

#: Kinesis must acknowledge what was sent within this time.
FLUSH_S = 120.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_HIGHEST_US = 3_600_000_000
_DIGITS = 3


class Sender(Protocol):
    """A way to the stream. When it can take no more it waits, and drops nothing; the acknowledgements get each outcome."""

    def send(self, emission: Emission, intended: float) -> None:
        """``intended``: the time of the monotonic clock at which the record was to leave."""

    def flush(self, timeout_s: float) -> None:
        """Wait until nothing is on its way any more; raises RetryLater."""


class Stop(Protocol):
    """An event of threads or of processes."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float | None = None) -> bool: ...


class Acknowledgements:
    """How long answers took from the *intended* send times, in microseconds; recorded by the senders' threads."""

    def __init__(self) -> None:
        self.latency = empty()
        self.failed = 0
        self.refused = 0
        """Not accepted, and never will be."""
        self.first_failure = ""
        self._interval = empty()
        self._lock = Lock()

    def of(self, intended: float) -> Callable[[Settled], None]:
        """The callback of a record that was to leave at a time of the monotonic clock."""

        def settled(outcome: Settled) -> None:
            if isinstance(outcome, Delivered):
                self.deliver(intended)
            else:
                self.fail(outcome.error)

        return settled

    def deliver(self, intended: float) -> None:
        waited = min(_HIGHEST_US, max(1, int((time.monotonic() - intended) * 1e6)))
        with self._lock:
            self.latency.record_value(waited)
            self._interval.record_value(waited)

    def refuse(self) -> None:
        with self._lock:
            self.refused += 1

    def fail(self, error: ClickstreamError) -> None:
        with self._lock:
            self.failed += 1
            self.first_failure = self.first_failure or str(error)

    def interval(self) -> HdrHistogram:
        """What was recorded since the last call."""
        with self._lock:
            taken, self._interval = self._interval, empty()
        return taken

    @property
    def count(self) -> int:
        """Acknowledged records."""
        return int(self.latency.get_total_count())


def empty() -> HdrHistogram:
    """A histogram as all of them are here: 1 µs to an hour, three significant digits."""
    return HdrHistogram(1, _HIGHEST_US, _DIGITS)


def require_loopback(endpoint: str | None, *, allow_remote: bool, otherwise: str) -> None:
    """Generated load belongs on this machine; raises UserMistake for any other endpoint unless it is allowed explicitly.

    ``otherwise``: what is reached without an endpoint.
    """
    host = urlsplit(endpoint).hostname if endpoint else None
    if host not in _LOOPBACK and not allow_remote:
        raise UserMistake(
            f"{endpoint or otherwise} is not on this machine: generated load could cost money there",
            hint='eval "$(clickstream local start)", or --allow-remote if that stream is meant',
        )


def drive(
    plan: Plan,
    sender: Sender,
    log: SendLog,
    started_ms: int,
    stop: Stop,
    started: float | None = None,
) -> None:
    """Send a plan's records, each at its intended time or, when the sender holds us up, as soon as possible after it.

    Events carry their intended times, counted from ``started_ms`` (wall clock), which is ``started`` of the monotonic clock,
    by default now. The log hears of each record before it is sent. Returns when all are handed over (not yet flushed), or
    between two records once ``stop`` is set.
    """
    traffic = plan.traffic(started_ms)
    started = time.monotonic() if started is None else started
    for offset_us in plan.offsets_us():
        intended = started + offset_us / 1e6
        wait_until(intended, sleep=stop.wait)
        if stop.is_set():
            break
        at_ms = started_ms + offset_us // 1000
        emission = traffic.emit(at_ms)
        log.record(emission, at_ms)
        sender.send(emission, intended)
    if log.keep:
        log.next_clicks = traffic.visitors.next_clicks()
