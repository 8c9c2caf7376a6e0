"""One run of generated traffic, by one process or several side by side, with its account."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from threading import Event
from types import FrameType

import msgspec
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogWriter

from clickstream.errors import RetryLater
from clickstream.settings import Settings
from load.book import Book, merged
from load.driver import FLUSH_S, Acknowledgements, Stop, drive, empty
from load.live import Live, Now
from load.plan import Plan
from load.senders import Route, sender

#: Other processes need so long to start before the first record is due.
_START_S = 3.0
_TICK_S = 1.0


class Sent(msgspec.Struct, kw_only=True):
    """What one or several senders did. Latencies: intended send time to acknowledgement, µs, HDR-encoded; per second too."""

    book: Book
    latency: bytes
    seconds: list[bytes]
    put: int
    refused: int
    failed: int
    reason: str = ""
    """Why the first record that failed did."""
    interrupted: bool = False


def run(
    plan: Plan, settings: Settings, route: Route, *, keep: bool, processes: int, now_ms: Callable[[], int]
) -> tuple[Sent, int]:
    """Send a plan's records and wait for the acknowledgements; Ctrl-C ends it early, in good order. (What was done, start.)

    With ``keep`` off no account of the events is kept, only of their number.
    """
    with Live(plan.records) as live:
        if processes == 1:
            started_ms, started = now_ms(), time.monotonic()
            with interruptible() as stop:
                return _send(plan, settings, route, started_ms, started, stop, keep=keep, tell=live.show), started_ms
        started_ms = now_ms() + int(_START_S * 1000)
        started = time.monotonic() + _START_S
        return _together(plan.split(processes), settings, route, started_ms, started, keep=keep, live=live), started_ms


def _send(
    plan: Plan,
    settings: Settings,
    route: Route,
    started_ms: int,
    started: float,
    stop: Stop,
    *,
    keep: bool,
    tell: Callable[[Now], None],
) -> Sent:
    book, acknowledgements, seconds = Book(keep=keep), Acknowledgements(), list[bytes]()

    def tick() -> None:
        seconds.append(acknowledgements.interval().encode())
        latency = acknowledgements.latency
        tell(Now(sum(book.kinds.values()), acknowledgements.count, int(latency.get_value_at_percentile(99))))

    with sender(route, settings, acknowledgements) as out, _every(_TICK_S, tick):
        drive(plan, out, book, started_ms, stop, started)
        out.flush(FLUSH_S)
    tick()
    return Sent(
        book=book,
        latency=acknowledgements.latency.encode(),
        seconds=seconds,
        put=acknowledgements.count,
        refused=acknowledgements.refused,
        failed=acknowledgements.failed,
        reason=acknowledgements.first_failure,
        interrupted=stop.is_set(),
    )


@contextmanager
def _every(seconds: float, act: Callable[[], None]) -> Iterator[None]:
    """``act`` on a thread of its own, until the block ends."""
    over = Event()

    def repeat() -> None:
        while not over.wait(seconds):
            act()

    thread = threading.Thread(target=repeat, name="tick", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def interruptible(tell: Callable[[], None] = lambda: None) -> Iterator[Event]:
    """An event that the first Ctrl-C sets, so that no record is left half accounted for; a second one interrupts as usual."""
    stop = Event()

    def request(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        tell()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, request)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def _together(
    parts: Sequence[Plan], settings: Settings, route: Route, started_ms: int, started: float, *, keep: bool, live: Live
) -> Sent:
    # not fork: the clients' threads would not survive it
    spawn = multiprocessing.get_context("spawn")
    stop = spawn.Event()
    children, pipes = [], list[Connection]()
    for part in parts:
        ours, theirs = spawn.Pipe(duplex=False)
        child = spawn.Process(
            target=_part, args=(part, settings, route, started_ms, started, stop, keep, theirs), name=f"load-{part.part}"
        )
        child.start()
        theirs.close()
        children.append(child)
        pipes.append(ours)
    with interruptible(stop.set):
        sent = _gather(pipes, live)
        for child in children:
            child.join()
    if len(sent) != len(parts):
        codes = [child.exitcode for child in children]
        raise RetryLater(f"{len(parts) - len(sent)} of {len(parts)} senders ended before their time (exit codes {codes})")
    return joined(sent)


def _gather(pipes: Sequence[Connection], live: Live) -> list[Sent]:
    """The senders' accounts, while their progress is shown as one."""
    now: dict[int, Now] = {}
    sent: list[Sent] = []
    places = {pipe: place for place, pipe in enumerate(pipes)}
    while places:
        for pipe in wait(list(places)):
            assert isinstance(pipe, Connection)
            try:
                message = pipe.recv_bytes()
            except EOFError:
                del places[pipe]
                continue
            if message[:1] == _NOW:
                now[places[pipe]] = msgspec.msgpack.decode(message[1:], type=Now)
                live.show(
                    Now(
                        sum(each.sent for each in now.values()),
                        sum(each.put for each in now.values()),
                        max(each.p99_us for each in now.values()),
                    )
                )
            else:
                sent.append(msgspec.msgpack.decode(message[1:], type=Sent))
    return sent


_NOW, _SENT = b"n", b"s"


def _part(
    plan: Plan, settings: Settings, route: Route, started_ms: int, started: float, stop: Stop, keep: bool, pipe: Connection
) -> None:
    """A sender's process."""
    # a terminal's Ctrl-C reaches every process: the parent alone hears it, and tells us
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def tell(now: Now) -> None:
        pipe.send_bytes(_NOW + msgspec.msgpack.encode(now))

    sent = _send(plan, settings, route, started_ms, started, stop, keep=keep, tell=tell)
    pipe.send_bytes(_SENT + msgspec.msgpack.encode(sent))


def joined(parts: Sequence[Sent]) -> Sent:
    """Several senders' work as one."""
    latency = empty()
    for part in parts:
        latency.add(HdrHistogram.decode(part.latency))
    seconds: list[bytes] = []
    for second in range(max(len(part.seconds) for part in parts)):
        together = empty()
        for part in parts:
            if second < len(part.seconds):
                together.add(HdrHistogram.decode(part.seconds[second]))
        seconds.append(together.encode())
    return Sent(
        book=merged([part.book for part in parts]),
        latency=latency.encode(),
        seconds=seconds,
        put=sum(part.put for part in parts),
        refused=sum(part.refused for part in parts),
        failed=sum(part.failed for part in parts),
        reason=next((part.reason for part in parts if part.reason), ""),
        interrupted=any(part.interrupted for part in parts),
    )


def write_hdr_log(path: Path, sent: Sent, started_ms: int) -> None:
    """One interval a second in the format that HdrHistogram's tools read; values are microseconds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        log = HistogramLogWriter(file)
        log.output_comment("[intended send time to acknowledgement, microseconds]")
        log.output_log_format_version()
        log.output_legend()
        for second, encoded in enumerate(sent.seconds):
            at_s = started_ms / 1000 + second * _TICK_S
            log.output_interval_histogram(HdrHistogram.decode(encoded), at_s, at_s + _TICK_S, 1_000.0)


def summary(sent: Sent) -> Mapping[str, object]:
    """For --json; times in milliseconds."""
    latency = HdrHistogram.decode(sent.latency)
    return {
        "sent": sent.book.sent,
        "put": sent.put,
        "refused": sent.refused,
        "failed": sent.failed,
        "events": sent.book.events,
        "retries": sent.book.kinds.get("retry", 0),
        "late": sent.book.kinds.get("late", 0),
        "malformed": sent.book.kinds.get("malformed", 0),
        "kinds": sent.book.kinds,
        "ack_p50_ms": latency.get_value_at_percentile(50) / 1000,
        "ack_p99_ms": latency.get_value_at_percentile(99) / 1000,
        "ack_p999_ms": latency.get_value_at_percentile(99.9) / 1000,
        "ack_max_ms": latency.get_max_value() / 1000,
        "interrupted": sent.interrupted,
    }


def told(sent: Sent) -> str:
    """The summary for a person."""
    latency = HdrHistogram.decode(sent.latency)
    failures = f"; {sent.failed:,} NOT delivered: {sent.reason}" if sent.failed else ""
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(sent.book.kinds.items(), key=lambda each: -each[1]))
    p50, p99, p999 = (latency.get_value_at_percentile(percentile) / 1000 for percentile in (50, 99, 99.9))
    return (
        f"sent {sent.book.sent:,} records, {sent.put:,} acknowledged, {sent.refused:,} refused{failures}\n"
        f"of them {kinds}\n"
        f"from intended send time to acknowledgement: p50 {p50:.0f} ms, p99 {p99:.0f} ms, p99.9 {p999:.0f} ms, "
        f"max {latency.get_max_value() / 1000:.0f} ms"
    )


def print_records(plan: Plan, started_ms: int) -> None:
    """A plan's records, one a line, on stdout, without waiting for their times."""
    write = sys.stdout.buffer.write
    for _, emission in plan.emissions(started_ms):
        write(emission.data + b"\n")
    sys.stdout.buffer.flush()
