"""Runs one KCL daemon until it is told to stop: starts it, starts it again when it dies, drains it on SIGTERM.

The daemon's JVM lives in a session of its own, so that a terminal's Ctrl-C reaches the supervisor alone: a signal to the shard
processes would cut them off in the middle of the drain that KCL is about to ask of them.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final

import msgspec
import structlog

from consumers.runtime.parent_death import kill_with_parent
from consumers.runtime.restarts import GiveUp, RestartPolicy

log = structlog.get_logger()

DONE: Final = 0
FAILED: Final = 1
INTERRUPTED: Final = 130


class Supervised(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be run, and how long it may take to stop."""

    command: Sequence[str]
    environment: Mapping[str, str]
    drain_s: float
    """From SIGTERM to SIGKILL: KCL's own grace and a margin for the JVM's end."""
    inherited_fds: tuple[int, ...] = ()
    """The worker's lock, which must live as long as the JVM."""


class Supervisor:
    """Runs in the main thread: it needs the process's signals."""

    def __init__(self, supervised: Supervised, policy: RestartPolicy) -> None:
        self._supervised = supervised
        self._policy = policy
        self._starts: list[float] = []
        self._asked: signal.Signals | None = None
        self._impatient = False

    def run(self) -> int:
        """Returns the process's exit code: 0 after SIGTERM, 130 after Ctrl-C, 1 when it gave up or the drain took too long.

        A second SIGTERM or Ctrl-C ends the drain at once.
        """
        with self._signals() as wake:
            while not self._stopping():
                daemon = self._start()
                self._wait(daemon, wake, None)
                if self._stopping():
                    return self._drain(daemon, wake)
                status = self._reap(daemon)
                decision = self._policy.decide(self._starts, time.monotonic())
                if isinstance(decision, GiveUp):
                    log.error(
                        "the daemon does not live: giving up", starts=decision.starts, within_s=decision.window_s, status=status
                    )
                    return FAILED
                log.warning("the daemon ended: starting it again", status=status, after_s=decision.delay_s)
                self._rest(wake, decision.delay_s)
        return self._exit_code()

    def _stopping(self) -> bool:
        return self._asked is not None

    def _start(self) -> subprocess.Popen[bytes]:
        self._starts = [*self._starts[-self._policy.budget :], time.monotonic()]
        return subprocess.Popen(
            self._supervised.command,
            env=self._supervised.environment,
            stdin=subprocess.DEVNULL,
            stdout=2,  # stdout is for data, and a daemon has none
            start_new_session=True,
            pass_fds=self._supervised.inherited_fds,
            # safe: this program has no other threads when it forks
            preexec_fn=kill_with_parent(),
        )

    def _drain(self, daemon: subprocess.Popen[bytes], wake: int) -> int:
        """Ask KCL to let its leases go; the shard processes hear of it from KCL and checkpoint."""
        daemon.send_signal(signal.SIGTERM)
        ended = self._wait(daemon, wake, time.monotonic() + self._supervised.drain_s)
        self._reap(daemon)
        if not ended:
            log.error("the daemon did not stop in time and was killed", after_s=self._supervised.drain_s)
            return FAILED
        return self._exit_code()

    def _exit_code(self) -> int:
        return INTERRUPTED if self._asked == signal.SIGINT else DONE

    def _wait(self, daemon: subprocess.Popen[bytes], wake: int, deadline: float | None) -> bool:
        """Until the daemon has ended (True), or a reason to stop waiting has come. The daemon is not reaped yet."""
        stop_was_asked = self._stopping()
        while not _has_ended(daemon.pid):
            if self._stopping() and (not stop_was_asked or self._impatient):
                return False
            remaining = None if deadline is None else deadline - time.monotonic()
            if remaining is not None and remaining <= 0:
                return False
            self._pause(wake, remaining)
        return True

    def _reap(self, daemon: subprocess.Popen[bytes]) -> int:
        """Collect the daemon, and end whatever of its session still runs.

        A shard process left behind would work on beside its successor: fenced, but in the way. The group is killed before the
        daemon is reaped, as long as its number cannot belong to anybody else.
        """
        try:
            os.killpg(daemon.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
            log.debug("nothing left in the daemon's session")
        return daemon.wait()

    def _rest(self, wake: int, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._stopping() and (remaining := deadline - time.monotonic()) > 0:
            self._pause(wake, remaining)

    def _pause(self, wake: int, seconds: float | None) -> None:
        """Until a signal (also: a child's end) or ``seconds`` have passed."""
        if select.select([wake], [], [], seconds)[0]:
            os.read(wake, 4096)

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        self._impatient = self._asked is not None
        self._asked = self._asked or signal.Signals(number)

    @contextmanager
    def _signals(self) -> Iterator[int]:
        """Route SIGTERM, SIGINT and SIGCHLD into a pipe, whose read end is yielded; put everything back at the end."""
        read_fd, write_fd = os.pipe()
        os.set_blocking(write_fd, False)
        before_fd = signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
        before = {number: signal.signal(number, self._on_stop) for number in (signal.SIGTERM, signal.SIGINT)}
        before[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        try:
            yield read_fd
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(before_fd)
            os.close(read_fd)
            os.close(write_fd)


def _has_ended(pid: int) -> bool:
    """Whether a child has ended; it stays a zombie, so that its number stays its own."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
