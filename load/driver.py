"""The open-loop driver: records leave at their intended times, whatever the stream does, and waits count from there."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Lock
from typing import Protocol
from urllib.parse import urlsplit

import msgspec
from hdrh.histogram import HdrHistogram

from clickstream.errors import ClickstreamError, UserMistake
from clickstream.settings import Settings
from load.faults import Emission, Rates
from load.generator import Shop
from load.pace import wait_until
from load.traffic import Traffic, arrivals
from producers.puts import Delivered, Settled

#: One run sends at most this many records and lasts at most this long, whatever it was asked for.
MAX_RECORDS = 5_000_000
MAX_SECONDS = 24 * 3600.0
#: Kinesis must acknowledge what was sent within this time.
FLUSH_S = 120.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_HIGHEST_US = 3_600_000_000
_DIGITS = 3


class Publisher(Protocol):
    """What a run needs of the publisher; it waits while the memory bound is reached, and tells when Kinesis has the record."""

    def put_raw(self, key: str, data: bytes, on_settled: Callable[[Settled], None] | None = None) -> None: ...


class Acknowledgements:
    """How long Kinesis's answers took from the *intended* send times, in microseconds; told by the publisher's threads."""

    def __init__(self) -> None:
        self.latency = HdrHistogram(1, _HIGHEST_US, _DIGITS)
        self.failed = 0
        self.first_failure: ClickstreamError | None = None
        self._lock = Lock()

    def of(self, intended: float) -> Callable[[Settled], None]:
        """The callback of a record that was to leave at a time of the monotonic clock."""

        def settled(outcome: Settled) -> None:
            waited = int((time.monotonic() - intended) * 1e6)
            with self._lock:
                if isinstance(outcome, Delivered):
                    self.latency.record_value(min(_HIGHEST_US, max(1, waited)))
                else:
                    self.failed += 1
                    self.first_failure = self.first_failure or outcome.error

        return settled


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A run: ``rate`` records per second for ``duration_s`` seconds, the same for the same seed."""

    rate: float
    duration_s: float
    seed: int = 1
    max_records: int = MAX_RECORDS
    shop: Shop = Shop()
    rates: Rates = Rates()


def require_loopback(settings: Settings, *, allow_remote: bool) -> None:
    """Generated load belongs on this machine; raises UserMistake for any other endpoint unless it is allowed explicitly."""
    endpoint = settings.endpoint("kinesis")
    host = urlsplit(endpoint).hostname if endpoint else None
    if host not in _LOOPBACK and not allow_remote:
        raise UserMistake(
            f"{endpoint or f'AWS in {settings.region}'} is not on this machine: generated load could cost money there",
            hint='eval "$(clickstream local start)", or --allow-remote if that stream is meant',
        )


def drive(
    plan: Plan,
    publisher: Publisher,
    acknowledgements: Acknowledgements,
    started_ms: int,
    enter: Callable[[Emission], None],
    on_sent: Callable[[int], None],
    stop: Event,
) -> None:
    """Send a plan's records, each at its intended time or, when the publisher holds us up, as soon as possible after it.

    Events carry their intended times, counted from ``started_ms`` (wall clock). ``enter`` hears of each record before it is
    sent. Returns when all are handed over (not yet flushed), or between two records once ``stop`` is set.
    """
    traffic = Traffic(plan.seed, plan.shop, plan.rates)
    started = time.monotonic()
    for number, offset_us in enumerate(arrivals(plan.seed, plan.rate), start=1):
        if number > plan.max_records or offset_us >= min(plan.duration_s, MAX_SECONDS) * 1e6:
            break
        intended = started + offset_us / 1e6
        wait_until(intended, sleep=stop.wait)
        if stop.is_set():
            break
        emission = traffic.emit(started_ms + offset_us // 1000)
        enter(emission)
        publisher.put_raw(emission.key, emission.data, acknowledgements.of(intended))
        on_sent(number)
