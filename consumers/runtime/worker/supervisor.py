"""Runs one worker's processes until a signal: starts them, starts them again when they die, drains them on SIGTERM."""

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from math import inf
from types import FrameType
from typing import Final

import msgspec
import structlog

from clickstream.consumers.runtime.faults.stumbling import EXIT_REMEMBERED
from clickstream.consumers.runtime.worker.forks import end_with_parent, fork
from clickstream.consumers.runtime.worker.restarts import GiveUp, RestartPolicy

log = structlog.get_logger()

DONE: Final = 0
FAILED: Final = 1
INTERRUPTED: Final = 130

_LONGEST_SELECT_S = 3_600.0


class Processes(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be run: the KCL daemon and, beside it, the zygote that forks its shard processes."""

    daemon: Sequence[str]
    companion: Callable[[Mapping[str, str]], int] | None = None
    """Told the environment, it runs in a fork of ours as long as the daemon does; when either ends, the life is over."""
    environment: Mapping[str, str]
    inherited_fds: tuple[int, ...] = ()
    """Of the daemon: the worker's lock, which must live as long as it."""


class Life:
    """Both processes, each in a session of its own, so that a terminal's Ctrl-C does not reach them."""

    def __init__(self, processes: Processes) -> None:
        self._companion = None if processes.companion is None else fork("zygote", partial(_accompany, processes))
        self._companion_code = 0
        self._daemon = _start(processes.daemon, processes.environment, processes.inherited_fds)
        self._all = [self._daemon.pid] if self._companion is None else [self._daemon.pid, self._companion]

    def ask_to_end(self) -> None:
        """SIGTERM to the daemon alone: KCL shuts the shard processes down, which finish and checkpoint."""
        self._daemon.send_signal(signal.SIGTERM)

    def is_over(self) -> bool:
        """Whether a process has ended; it stays a zombie until :meth:`end`, so that its number stays its own."""
        return any(os.waitid(os.P_PID, each, os.WEXITED | os.WNOHANG | os.WNOWAIT) for each in self._all)

    def end(self) -> int:
        """Kill whatever is left in both sessions, and collect; returns the daemon's exit status.

        A shard process left behind would work on beside its successor: fenced, but in the way. A session is killed before its
        leader is reaped, as long as its number cannot belong to anybody else.
        """
        for leader in self._all:
            try:
                os.killpg(leader, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
                log.debug("nothing left to kill", group=leader)
        if self._companion is not None:
            self._companion_code = os.waitstatus_to_exitcode(os.waitpid(self._companion, 0)[1])
        return self._daemon.wait()

    @property
    def remembers_a_bug(self) -> bool:
        """Whether it ended, as :meth:`end` found it, by a bug that the next one knows of."""
        return self._companion_code == EXIT_REMEMBERED


class Supervisor:
    """Runs in the main thread: it needs the process's signals.

    ``drain_s`` is the time from SIGTERM to SIGKILL, in seconds: KCL's own grace and a margin for the JVM's end. ``count`` gets
    the length of each life that ended by itself, and returns how many in a row moved nothing.
    """

    def __init__(
        self, processes: Processes, policy: RestartPolicy, *, drain_s: float, count: Callable[[float], int] = lambda _: 0
    ) -> None:
        self._processes = processes
        self._policy = policy
        self._count = count
        self._drain_s = drain_s
        self._starts: list[float] = []
        self._asked: signal.Signals | None = None
        self._impatient = False

    def run(self) -> int:
        """Returns the process's exit code: 0 after SIGTERM, 130 after Ctrl-C, 1 when it gave up or the drain took too long.

        A second SIGTERM or Ctrl-C ends the drain at once.
        """
        with self._signals() as wake:
            while not self._stopping():
                self._starts = [*self._starts[-self._policy.budget :], time.monotonic()]
                life = Life(self._processes)
                self._wait(wake, lambda: self._stopping() or life.is_over())  # noqa: B023  # called at once
                if self._stopping():
                    return self._drain(life, wake)
                status = life.end()
                if life.remembers_a_bug:
                    self._starts = self._starts[-1:]  # three of them for each record that sets it off, then it is set aside
                now = time.monotonic()
                decision = self._policy.decide(self._starts, now, self._count(now - self._starts[-1]))
                if isinstance(decision, GiveUp):
                    log.error("the worker does not live: giving up", starts=decision.starts, within_s=decision.window_s)
                    return FAILED
                log.warning("the worker died: starting it again", status=status, after_s=decision)
                self._wait(wake, self._stopping, decision)
        return self._exit_code()

    def _drain(self, life: Life, wake: int) -> int:
        life.ask_to_end()
        self._wait(wake, lambda: self._impatient or life.is_over(), self._drain_s)
        over = life.is_over()
        life.end()
        if not over:
            log.error("the worker did not stop in time and was killed", after_s=self._drain_s)
            return FAILED
        return self._exit_code()

    def _wait(self, wake: int, done: Callable[[], bool], seconds: float = inf) -> None:
        """Until it is done, which is looked at after every signal (also: a child's end), or ``seconds`` have passed."""
        deadline = time.monotonic() + seconds
        while not done() and (remaining := deadline - time.monotonic()) > 0:
            if select.select([wake], [], [], min(remaining, _LONGEST_SELECT_S))[0]:
                os.read(wake, 4096)

    def _stopping(self) -> bool:
        return self._asked is not None

    def _exit_code(self) -> int:
        return INTERRUPTED if self._asked == signal.SIGINT else DONE

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


def _accompany(processes: Processes) -> int:
    """In the fork: a session and descriptors as those of a program of its own."""
    os.setsid()
    os.dup2(2, 1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    for fd in processes.inherited_fds:
        os.close(fd)
    assert processes.companion is not None
    return processes.companion(processes.environment)


def _start(command: Sequence[str], environment: Mapping[str, str], fds: tuple[int, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=2,  # stdout is for data, and these have none
        start_new_session=True,
        pass_fds=fds,
        # safe: this program has no other threads when it forks
        preexec_fn=partial(end_with_parent, os.getpid()),
    )
