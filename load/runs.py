"""One run of generated traffic against the stream, with its account."""

from __future__ import annotations

import itertools
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType

import msgspec

from clickstream.settings import Settings
from load.driver import FLUSH_S, MAX_SECONDS, Acknowledgements, Plan, drive
from load.faults import Emission
from load.ledger import Book, Ledger, WindowTotals
from load.progress import Counted
from load.terminal import progress_bar
from load.traffic import Traffic, arrivals
from producers.kinesis import KinesisPublisher


class Outcome(msgspec.Struct, kw_only=True):
    ledger: Ledger
    failed: int
    reason: str
    """Why the first record that failed did; "" when none did."""
    p50_us: int
    p99_us: int
    max_us: int
    """Acknowledged after the intended send time."""
    interrupted: bool

    def __str__(self) -> str:
        failures = f"; {self.failed:,} NOT delivered: {self.reason}" if self.failed else ""
        return (
            f"sent {self.ledger.sent:,} records, {self.ledger.put:,} acknowledged{failures}\n"
            f"from intended send time to acknowledgement: p50 {self.p50_us / 1000:.0f} ms, "
            f"p99 {self.p99_us / 1000:.0f} ms, max {self.max_us / 1000:.0f} ms"
        )

    def summary(self) -> dict[str, object]:
        """For --json; times in milliseconds."""
        return {
            "sent": self.ledger.sent,
            "put": self.ledger.put,
            "failed": self.failed,
            "retries": self.ledger.retries,
            "late": self.ledger.late,
            "malformed": self.ledger.malformed,
            "ack_p50_ms": self.p50_us / 1000,
            "ack_p99_ms": self.p99_us / 1000,
            "ack_max_ms": self.max_us / 1000,
            "interrupted": self.interrupted,
        }


def run(plan: Plan, settings: Settings, before: Counted | None, now_ms: Callable[[], int]) -> Outcome:
    """Send a plan's records to ``settings.stream`` and wait for the acknowledgements; Ctrl-C ends it early, in good order.

    ``before`` is what analytics had counted; None keeps no account of the events, only of their number.
    """
    book = Book(keep=before is not None)
    acknowledgements = Acknowledgements()
    started_ms = now_ms()
    expected = min(plan.max_records, int(plan.rate * min(plan.duration_s, MAX_SECONDS)))
    with KinesisPublisher(settings) as publisher:
        with _interruptible() as stop, progress_bar("sending", expected) as on_sent:
            drive(plan, publisher, acknowledgements, started_ms, book.enter, on_sent, stop)
        publisher.flush(FLUSH_S)
    latency = acknowledgements.latency
    ledger = Ledger(
        stream=settings.stream,
        seed=plan.seed,
        rate=plan.rate,
        started_ms=started_ms,
        flushed_ms=now_ms(),
        sent=book.sent,
        put=latency.get_total_count(),
        events=book.events,
        retries=book.retries,
        late=book.late,
        malformed=book.malformed,
        before=before or Counted(),
        windows=[WindowTotals(window, totals) for window, totals in book.windows().items()],
    )
    return Outcome(
        ledger=ledger,
        failed=acknowledgements.failed,
        reason=str(acknowledgements.first_failure or ""),
        p50_us=latency.get_value_at_percentile(50),
        p99_us=latency.get_value_at_percentile(99),
        max_us=latency.get_max_value(),
        interrupted=stop.is_set(),
    )


@contextmanager
def _interruptible() -> Iterator[Event]:
    """An event that the first Ctrl-C sets, so that no record is left half accounted for; a second one interrupts as usual."""
    stop = Event()

    def request(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, request)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def print_records(plan: Plan, started_ms: int) -> None:
    """A plan's records, one a line, on stdout, without waiting for their times."""
    traffic = Traffic(plan.seed, plan.shop, plan.rates)
    limit_us = min(plan.duration_s, MAX_SECONDS) * 1e6
    offsets = itertools.takewhile(lambda offset: offset < limit_us, arrivals(plan.seed, plan.rate))
    for offset_us in itertools.islice(offsets, plan.max_records):
        emission: Emission = traffic.emit(started_ms + offset_us // 1000)
        sys.stdout.buffer.write(emission.data + b"\n")
    sys.stdout.buffer.flush()
