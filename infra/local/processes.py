"""Processes that this program starts: identified beyond doubt, watched, and ended in order within one deadline.

Times are ``time.monotonic()`` seconds; a deadline is such a time.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from clickstream.errors import ClickstreamError

_LAUNCHER = Path(__file__).with_name("launcher.py")
_POLL_SECONDS = 0.02
_HAS_PROC = Path("/proc/self/stat").exists()


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """A process that cannot be taken for another: a pid alone comes back after a while, with its start time it does not."""

    name: str
    pid: int
    started: str
    """The system's own word for the start time; only ever compared."""
    log: str
    """The file that its stdout and stderr go to."""

    def is_running(self) -> bool:
        return start_time(self.pid) == self.started

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it is still the one that was started."""
        if self.is_running():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return  # it ended in between, which is what a signal of ours is for

    def last_words(self) -> str:
        """The last line of its log that says anything, with what a hint belongs to; of a structured line the event alone."""
        try:
            lines = [line.strip() for line in Path(self.log).read_text(errors="replace").splitlines() if line.strip()]
        except FileNotFoundError:
            return ""
        if not lines:
            return ""
        if lines[-1].startswith("hint: "):
            return "; ".join(lines[-2:])
        try:
            return msgspec.json.decode(lines[-1], type=_LogLine).event
        except msgspec.MsgspecError:
            return lines[-1]


class _LogLine(msgspec.Struct):
    """What the platform's own programs log, one JSON object a line."""

    event: str


class Died(ClickstreamError):
    """A part ended that should not have."""

    def __init__(self, process: Process, status: int | None = None) -> None:
        """``status`` as subprocess gives it: an exit code, or a signal's number, negative."""
        how = "" if status is None else f" with exit code {status}" if status >= 0 else f" by {signal.Signals(-status).name}"
        self.process = process
        # what it said last is no cause of a signal
        words = "" if status is not None and status < 0 else process.last_words()
        super().__init__(f"{process.name} ended{how}{f': {words}' if words else ''} (log: {process.log})")


class Heartbeat:
    """Says what is waited for, and since when, every few seconds: a person sees that it goes on."""

    def __init__(self, say: Callable[[str], None], *, every_s: float = 5.0, at_once: bool = False) -> None:
        self._say = say
        self._every_s = every_s
        self._began = time.monotonic()
        self._told = -every_s if at_once else 0.0

    def __call__(self, what: str) -> None:
        after = time.monotonic() - self._began
        if after >= self._told + self._every_s:
            self._told = after
            self._say(f"{what} ({after:.0f} s)")


class NotReady(ClickstreamError):
    """A part runs but did not answer in time."""


def start_time(pid: int) -> str | None:
    """When a process started, or None when there is no such process or only its unreaped remains."""
    if _HAS_PROC:
        stat = Path(f"/proc/{pid}/stat")
        try:
            # the name stands in parentheses and may itself hold spaces and parentheses
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in "ZX" else fields[19]
    told = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = told.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started.strip()


def _opened(log: Path) -> BinaryIO:
    """A log of this run alone; the run before keeps its own beside it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_name(f"{log.name}.1"))
    return log.open("ab")


def tethered(command: Sequence[str]) -> list[str]:
    """The command as this thread's child to be, which gets SIGTERM when the thread that starts it ends (on Linux)."""
    return [sys.executable, "-IS", str(_LAUNCHER), "tethered", str(os.getpid()), *command]


class Children:
    """A group of children of this program that live and end together; a context manager that ends whatever still runs."""

    def __init__(self, *, grace: float = 15.0, on_start: Callable[[Process], None] = lambda _: None) -> None:
        self._grace = grace
        self._on_start = on_start
        self._started: list[tuple[Process, subprocess.Popen[bytes]]] = []

    def start(self, name: str, command: Sequence[str], *, environment: Mapping[str, str] | None, log: Path) -> Process:
        """Start ``command`` in a session of its own (a terminal's Ctrl-C must not reach it), tethered to this thread's life.

        Its stdout and stderr go to ``log``; without ``environment`` it has this process's.
        """
        with _opened(log) as output:
            popen = subprocess.Popen(
                tethered(command),
                env=None if environment is None else dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        process = Process(name=name, pid=popen.pid, started=start_time(popen.pid) or "ended", log=str(log))
        self._started.append((process, popen))
        self._on_start(process)
        return process

    def __enter__(self) -> Children:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(time.monotonic() + self._grace)

    @property
    def size(self) -> int:
        return len(self._started)

    def check(self) -> None:
        """Raise Died for a child that has ended by itself; it is told once, and may be started again."""
        for child in self._started:
            process, popen = child
            if (status := popen.poll()) is not None:
                self._started.remove(child)
                raise Died(process, status)

    def stop(self, deadline: float, beat: Callable[[str], None] = lambda _: None) -> list[Process]:
        """End all children at once; returns those that had to be killed at the deadline."""
        killed = end((process for process, _ in self._started), deadline, beat)
        for _, popen in self._started:
            popen.wait()
        self._started.clear()
        return killed


def start_detached(name: str, command: Sequence[str], *, environment: Mapping[str, str], log: Path) -> Process:
    """Start ``command`` so that it outlives this program."""
    with _opened(log) as output:
        said = subprocess.run(
            [sys.executable, "-IS", str(_LAUNCHER), "detached", *command],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            check=True,
        )
    pid = int(said.stdout)
    return Process(name=name, pid=pid, started=start_time(pid) or "ended", log=str(log))


def end(processes: Iterable[Process], deadline: float, beat: Callable[[str], None] = lambda _: None) -> list[Process]:
    """SIGTERM to each, wait for all, and SIGKILL to the whole session of those left at the deadline, which are returned."""
    waiting = [process for process in processes if process.is_running()]
    for process in waiting:
        process.signal(signal.SIGTERM)
    while waiting and time.monotonic() < deadline:
        beat(f"waiting for {', '.join(process.name for process in waiting)} to end")
        time.sleep(_POLL_SECONDS)
        waiting = [process for process in waiting if process.is_running()]
    for process in waiting:
        try:
            # each was started as the leader of its own session, so its process group holds its descendants and nobody else
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return waiting


def wait_until(condition: Callable[[], bool], what: str, deadline: float, *, check: Callable[[], None]) -> None:
    """Poll until the condition holds; ``check`` raises when waiting has become useless. Raises NotReady at the deadline."""
    while not condition():
        check()
        if time.monotonic() >= deadline:
            raise NotReady(f"{what} did not become ready in time")
        time.sleep(_POLL_SECONDS * 5)
