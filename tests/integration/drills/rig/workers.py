"""A worker as the drills see it: the command, and below it the JVM, the zygote and a process per shard (through /proc)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from clickstream.infra.local.processes import tethered
from tests.integration.drills.rig.clocks import Clock

#: KCL's grace, the JVM's end, and a busy machine.
STOP_S = 90.0


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """Process ids of one moment. A part that is not there (yet) is None."""

    supervisor: int
    jvm: int | None
    zygote: int | None
    shards: tuple[int, ...]

    def all(self) -> list[int]:
        return [pid for pid in (self.supervisor, self.jvm, self.zygote, *self.shards) if pid is not None]


class Worker:
    """``clickstream worker APP -w NAME``, started again under the same name after its death."""

    def __init__(
        self, application: str, name: str, environment: Mapping[str, str], log: Path, clock: Clock | None = None
    ) -> None:
        self.application = application
        self.name = f"{application} {name}"
        self.log = log
        self.clock = clock
        """Its own, if it can be stepped."""
        self._command = [sys.executable, "-m", "clickstream.cli", "worker", application, "-w", name]
        self._environment = {**environment, **(clock.variables if clock else {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Tethered: it ends with this program, however that ends."""
        assert self._process is None or self._process.poll() is not None, "it runs"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                tethered(self._command),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def parts(self) -> Parts:
        """What runs now; call it only while ``is_running``."""
        assert self._process is not None
        jvm = zygote = None
        for child in children(self._process.pid):
            command = _command_line(child)
            if "MultiLangDaemon" in command:
                jvm = child
            elif _name(child) == "zygote":
                zygote = child
        shards = () if zygote is None else tuple(children(zygote))
        return Parts(supervisor=self._process.pid, jvm=jvm, zygote=zygote, shards=shards)

    def terminate(self) -> int:
        """SIGTERM, and its exit code once it has drained."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(STOP_S)

    def kill(self) -> None:
        """End it and everything below it at once; nothing happens when it does not run."""
        if self._process is None:
            return
        if self._process.poll() is None:
            parts = self.parts()
            # a stopped process ignores its parent's end until it is continued; SIGKILL it does not
            send(signal.SIGKILL, parts.all())
        self._process.wait()


def send(number: signal.Signals, pids: Iterable[int]) -> None:
    """The signal to each that still lives."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []  # it has ended


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
