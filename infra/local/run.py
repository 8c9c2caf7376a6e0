"""One run of ``clickstream up`` in a folder: the only one there, with logs of its own, and after whatever a killed one left.

While it runs, ``up.json`` says who it is and what it has started; a lock that ends with the process says whether it is true.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from clickstream.errors import UserMistake
from clickstream.infra.local.processes import Heartbeat, Process, end, start_time

#: How long an end may take, ours or that of what a killed run left. A worker may drain for KCL's grace of 30 s and the JVM's
#: end (clickstream.consumers.runtime.worker.daemon).
STOP_SECONDS = 45.0
#: The names of the embedded AWS's processes (clickstream.infra.local.stack).
SERVERS = frozenset(("ministack", "kinesis"))
_KEPT_RUNS = 10
_LOOK_SECONDS = 0.1


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Who runs in a folder."""

    pid: int
    started: str = ""
    """The system's own word for its start time: with it the pid is beyond doubt."""
    since: datetime
    dashboard: str = ""
    environment: Mapping[str, str] = {}
    """The variables that lead another terminal to its AWS; empty without one of its own."""
    ending: bool = False
    processes: tuple[Process, ...] = ()

    def __str__(self) -> str:
        where = f", its dashboard at {self.dashboard}" if self.dashboard else ""
        return f"process {self.pid}, since {self.since.astimezone():%H:%M:%S}{where}"


class Run:
    """A run that has the folder for itself."""

    def __init__(self, home: Path, now: datetime) -> None:
        self.folder = home / "runs" / f"{now:%Y-%m-%dT%H-%M-%SZ}"
        """Its logs and scratch files."""
        self._file = _record(home)
        self._latest = home / "latest"
        self._record = Record(pid=os.getpid(), started=start_time(os.getpid()) or "", since=now)
        self._write()

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def begin(self) -> None:
        """Before the first process: its folder, and ``latest``, which leads to it; the oldest runs' folders go."""
        self.logs.mkdir(parents=True, exist_ok=True)
        self._latest.unlink(missing_ok=True)
        self._latest.symlink_to(self.folder.relative_to(self._latest.parent))
        for old in sorted(self.folder.parent.iterdir())[:-_KEPT_RUNS]:
            shutil.rmtree(old, ignore_errors=True)

    def started(self, process: Process) -> None:
        """Told to the next run, and in ``NAME.pid`` to a person who wants this process and no other on the machine."""
        (self.folder / f"{process.name}.pid").write_text(f"{process.pid}\n")
        self._note(processes=(*(each for each in self._record.processes if each.is_running()), process))

    def shown_at(self, dashboard: str) -> None:
        self._note(dashboard=dashboard)

    def leads_with(self, environment: Mapping[str, str]) -> None:
        self._note(environment=environment)

    def ending(self) -> None:
        self._note(ending=True)

    def over(self) -> None:
        """Nothing is left to tell, unless something of it still runs: the next one waits for that."""
        if not any(process.is_running() for process in self._record.processes):
            self._file.unlink(missing_ok=True)

    def _note(self, **changes: object) -> None:
        self._record = msgspec.structs.replace(self._record, **changes)
        self._write()

    def _write(self) -> None:
        made = self._file.with_suffix(".new")
        made.write_bytes(msgspec.json.encode(self._record))
        made.replace(self._file)


def with_aws(home: Path) -> Record | None:
    """The run in this folder that has an AWS of its own, once that is ready; it takes no lock, which could turn one away."""
    record = _read(home)
    runs = record is not None and bool(record.environment) and start_time(record.pid) == record.started
    return record if runs else None


@contextmanager
def alone(home: Path, say: Callable[[str], None]) -> Iterator[Run]:
    """The folder for this run, once nothing of another is left in it; raises UserMistake while another runs on."""
    home.mkdir(parents=True, exist_ok=True)
    lock = os.open(home / "up.lock", os.O_CREAT | os.O_RDWR, 0o644)
    try:
        _take(lock, home, Heartbeat(say, at_once=True))
        _outlive(_read(home), Heartbeat(say, at_once=True))
        run = Run(home, datetime.now(UTC))
        try:
            yield run
        finally:
            run.over()
    finally:
        os.close(lock)


def _take(lock: int, home: Path, beat: Heartbeat) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            other = _read(home)
            if other is None or not other.ending or time.monotonic() > deadline:
                raise _taken(home, other) from None
            beat(f"waiting for process {other.pid}, which runs here, to end")
            time.sleep(_LOOK_SECONDS)


def _taken(home: Path, other: Record | None) -> UserMistake:
    if other is None:
        return UserMistake(f"`clickstream up` is starting in {home}", hint="wait for it, or end it")
    return UserMistake(
        f"`clickstream up` runs in {home} already: {other}",
        hint=f"use it, end it with `kill {other.pid}`, or give this one a folder and ports of its own: "
        "CLICKSTREAM_LOCAL_DIR=DIR clickstream up --port 0 --collect-port 0 --aws-port 0 --kinesis-port 0",
    )


def _outlive(killed: Record | None, beat: Heartbeat) -> None:
    """Wait until nothing runs that a run without an orderly end has started; its end was each one's sign to end too."""
    started = [] if killed is None else killed.processes
    servers = {process.name for process in started} & SERVERS
    deadline = time.monotonic() + STOP_SECONDS
    while (left := [process for process in started if process.is_running()]) and time.monotonic() < deadline:
        if servers and servers.isdisjoint(process.name for process in left):
            break  # with the embedded AWS went whatever a worker could still write: a second sign ends its drain
        beat(f"the run before this one was killed: waiting for its {', '.join(process.name for process in left)} to end")
        time.sleep(_LOOK_SECONDS)
    end(left, deadline, beat)


def _record(home: Path) -> Path:
    return home / "up.json"


def _read(home: Path) -> Record | None:
    try:
        return msgspec.json.decode(_record(home).read_bytes(), type=Record)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
