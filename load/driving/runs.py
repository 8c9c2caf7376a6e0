"""One run of generated traffic, by one process or several side by side, with its account."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from threading import Event
from types import FrameType

import msgspec

from clickstream.errors import RetryLater
from clickstream.load.driving.driver import FLUSH_S, Acknowledgements, Stop, drive
from clickstream.load.driving.progress_line import Progress, ProgressLine
from clickstream.load.driving.report import INTERVAL_S, RunReport, joined
from clickstream.load.driving.senders import Route, sender
from clickstream.load.traffic.plan import Plan
from clickstream.load.verdict.send_log import SendLog
from clickstream.settings import Settings, isolate_children

#: Other processes need so long to start before the first record is due.
_START_S = 3.0


class Keep(msgspec.Struct, frozen=True):
    """What is kept beyond counts, and grows with the run."""

    events: bool
    """An account of every event, for a ledger."""
    seconds: bool
    """Latencies per second, for a log."""


def run(
    plan: Plan, settings: Settings, route: Route, *, keep: Keep, processes: int, now_ms: Callable[[], int]
) -> tuple[RunReport, int]:
    """Send a plan's records and wait for the acknowledgements; Ctrl-C ends it early, in good order. (What was done, start.)"""
    with ProgressLine(plan.records) as live:
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
    keep: Keep,
    tell: Callable[[Progress], None],
) -> RunReport:
    log, acknowledgements, seconds = SendLog(keep=keep.events), Acknowledgements(), list[bytes]()

    def tick() -> None:
        second = acknowledgements.interval()
        if keep.seconds:
            seconds.append(second.encode())
        latency = acknowledgements.latency
        tell(Progress(sum(log.kinds.values()), acknowledgements.count, int(latency.get_value_at_percentile(99))))

    with sender(route, settings, acknowledgements) as out, _every(INTERVAL_S, tick):
        drive(plan, out, log, started_ms, stop, started)
        out.flush(FLUSH_S)
    tick()
    return RunReport(
        log=log,
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
    parts: Sequence[Plan], settings: Settings, route: Route, started_ms: int, started: float, *, keep: Keep, live: ProgressLine
) -> RunReport:
    # not fork: the clients' threads would not survive it
    spawn = multiprocessing.get_context("spawn")
    isolate_children()
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


def _gather(pipes: Sequence[Connection], live: ProgressLine) -> list[RunReport]:
    """The senders' accounts, while their progress is shown as one."""
    now: dict[int, Progress] = {}
    sent: list[RunReport] = []
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
                now[places[pipe]] = msgspec.msgpack.decode(message[1:], type=Progress)
                live.show(
                    Progress(
                        sum(each.sent for each in now.values()),
                        sum(each.put for each in now.values()),
                        max(each.p99_us for each in now.values()),
                    )
                )
            else:
                sent.append(msgspec.msgpack.decode(message[1:], type=RunReport))
    return sent


_NOW, _SENT = b"n", b"s"


def _part(
    plan: Plan, settings: Settings, route: Route, started_ms: int, started: float, stop: Stop, keep: Keep, pipe: Connection
) -> None:
    """A sender's process."""
    # a terminal's Ctrl-C reaches every process: the parent alone handles it, and sets the stop event
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def tell(now: Progress) -> None:
        pipe.send_bytes(_NOW + msgspec.msgpack.encode(now))

    sent = _send(plan, settings, route, started_ms, started, stop, keep=keep, tell=tell)
    pipe.send_bytes(_SENT + msgspec.msgpack.encode(sent))


def print_records(plan: Plan, started_ms: int) -> None:
    """A plan's records, one a line, on stdout, without waiting for their times."""
    write = sys.stdout.buffer.write
    for _, emission in plan.emissions(started_ms):
        write(emission.data + b"\n")
    sys.stdout.buffer.flush()
