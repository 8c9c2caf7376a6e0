"""One life of a worker's processes: the KCL daemon and, beside it, the zygote that forks its shard processes."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence

import msgspec
import structlog

from consumers.runtime.faults.stumbling import EXIT_REMEMBERED
from consumers.runtime.worker.parent_death import kill_with_parent

log = structlog.get_logger()


class Processes(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be run."""

    daemon: Sequence[str]
    companion: Sequence[str] | None = None
    """Runs as long as the daemon does; when either ends, the life is over."""
    environment: Mapping[str, str]
    inherited_fds: tuple[int, ...] = ()
    """Of the daemon: the worker's lock, which must live as long as it."""


class Life:
    """Both processes, each in a session of its own, so that a terminal's Ctrl-C does not reach them."""

    def __init__(self, processes: Processes) -> None:
        companion = processes.companion
        self._companion = None if companion is None else _start(companion, processes.environment, ())
        self._daemon = _start(processes.daemon, processes.environment, processes.inherited_fds)

    def ask_to_end(self) -> None:
        """SIGTERM to the daemon alone: KCL shuts the shard processes down, which finish and checkpoint."""
        self._daemon.send_signal(signal.SIGTERM)

    def is_over(self) -> bool:
        """Whether a process has ended; it stays a zombie until :meth:`end`, so that its number stays its own."""
        return any(_has_ended(process.pid) for process in self._all())

    def end(self) -> int:
        """Kill whatever is left in both sessions, and collect; returns the daemon's exit status.

        A shard process left behind would work on beside its successor: fenced, but in the way. A session is killed before its
        leader is reaped, as long as its number cannot belong to anybody else.
        """
        for process in self._all():
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
                log.debug("nothing left to kill", group=process.pid)
        for process in self._all():
            process.wait()
        return self._daemon.returncode

    @property
    def remembers_a_bug(self) -> bool:
        """Whether it ended, as :meth:`end` found it, by a bug that the next one knows of."""
        return self._companion is not None and self._companion.returncode == EXIT_REMEMBERED

    def _all(self) -> list[subprocess.Popen[bytes]]:
        return [self._daemon] if self._companion is None else [self._daemon, self._companion]


def _start(command: Sequence[str], environment: Mapping[str, str], fds: tuple[int, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=2,  # stdout is for data, and these have none
        start_new_session=True,
        pass_fds=fds,
        # safe: this program has no other threads when it forks
        preexec_fn=kill_with_parent(),
    )


def _has_ended(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
