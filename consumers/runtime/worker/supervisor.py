"""Runs one worker's processes until a signal: starts them, starts them again when they die, drains them on SIGTERM."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import structlog

from consumers.runtime.worker.life import Life, Processes
from consumers.runtime.worker.restarts import GiveUp, RestartPolicy

log = structlog.get_logger()

DONE: Final = 0
FAILED: Final = 1
INTERRUPTED: Final = 130


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
                life = self._begin()
                self._wait(life, wake)
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
                log.warning("the worker died: starting it again", status=status, after_s=decision.delay_s)
                self._rest(wake, decision.delay_s)
        return self._exit_code()

    def _begin(self) -> Life:
        self._starts = [*self._starts[-self._policy.budget :], time.monotonic()]
        return Life(self._processes)

    def _drain(self, life: Life, wake: int) -> int:
        life.ask_to_end()
        deadline = time.monotonic() + self._drain_s
        while not (over := life.is_over()) and not self._impatient and (remaining := deadline - time.monotonic()) > 0:
            self._pause(wake, remaining)
        life.end()
        if not over:
            log.error("the worker did not stop in time and was killed", after_s=self._drain_s)
            return FAILED
        return self._exit_code()

    def _wait(self, life: Life, wake: int) -> None:
        while not self._stopping() and not life.is_over():
            self._pause(wake, None)

    def _rest(self, wake: int, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._stopping() and (remaining := deadline - time.monotonic()) > 0:
            self._pause(wake, remaining)

    def _stopping(self) -> bool:
        return self._asked is not None

    def _exit_code(self) -> int:
        return INTERRUPTED if self._asked == signal.SIGINT else DONE

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
