"""Virtual time: processes made of tasks, one queue of wake-ups, and a seed that decides which of two at the same time is first.

A task is a greenlet, so the code under test runs as it is, blocking calls included: where it would wait, it switches to the
scheduler, which runs the next wake-up. Nothing runs beside it, so a seed replays exactly.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from random import Random

import greenlet


class Killed(BaseException):
    """Ends a task wherever it stands; nothing may catch it."""


class Stuck(Exception):
    """The world did not come to rest within its time."""


class Machine:
    """What processes of one machine share: a wall clock that is off, and may be set."""

    def __init__(self, skew_ms: int = 0) -> None:
        self.skew_ms = skew_ms
        self.step_ms = 0


class Process:
    """Tasks that share one fate: killed together, stopped together (SIGSTOP), on one machine with one clock."""

    def __init__(self, scheduler: Scheduler, name: str, machine: Machine | None = None) -> None:
        self.name = name
        self.machine = machine or Machine()
        self.alive = True
        self.stopped = False
        self.tasks: dict[Task, None] = {}
        self.when_dead: list[Callable[[], None]] = []
        self._scheduler = scheduler
        self._held: list[tuple[Task, int]] = []

    def clock_ms(self) -> int:
        """Wall clock of the process's machine."""
        return self._scheduler.now + self.machine.skew_ms + self.machine.step_ms

    def spawn(self, run: Callable[[], object], name: str = "main") -> Task:
        return self._scheduler.spawn(self, run, name)

    def stop(self) -> None:
        self.stopped = True

    def go_on(self) -> None:
        self.stopped = False
        held, self._held = self._held, []
        for task, token in held:
            self._scheduler.resume_later(task, token)

    def hold(self, task: Task, token: int) -> None:
        """A stopped process's task has become due."""
        self._held.append((task, token))

    def kill(self) -> None:
        """As kill -9. Raises Killed in the calling task when it belongs to the process itself."""
        scheduler = self._scheduler
        if self.alive:
            self.alive = False
            scheduler.note(self.name, "is dead")
            for task in list(self.tasks):
                scheduler.bury(task)
            self.tasks.clear()
            # these may kill other processes; the calling task ends after all of them
            with scheduler.unbroken():
                for call in self.when_dead:
                    call()
        scheduler.check_alive()


class Task:
    """One thread of a process."""

    __slots__ = ("dead", "greenlet", "name", "process", "token")

    def __init__(self, process: Process, name: str) -> None:
        self.process = process
        self.name = name
        self.greenlet: greenlet.greenlet
        self.dead = False
        self.token = 0
        """Counts the waits: a wake-up for an earlier one is void."""


class Scheduler:
    """``now`` is in milliseconds since the epoch."""

    def __init__(self, random: Random, start_ms: int) -> None:
        self.now = start_ms
        self.current: Task | None = None
        self.steps = 0
        self.trace: list[str] | None = None
        self._start_ms = start_ms
        self._random = random.random
        self._queue: list[tuple[int, float, int, Task, int]] = []
        self._count = 0
        self._buried: list[Task] = []
        self._hub = greenlet.getcurrent()
        self._failure: BaseException | None = None
        self._unbroken = 0
        self._tasks: dict[Task, None] = {}

    def note(self, who: str, *what: object) -> None:
        """A line of the trace."""
        if self.trace is not None:
            self.trace.append(f"{(self.now - self._start_ms) / 1000:9.3f} {who:<24} {' '.join(map(str, what))}")

    def spawn(self, process: Process, run: Callable[[], object], name: str) -> Task:
        task = Task(process, name)

        def body() -> None:
            try:
                run()
            except Killed:
                pass
            except Exception as error:  # noqa: BLE001  # not swallowed: ``run`` raises it
                self._failure = self._failure or error
            finally:
                task.dead = True
                process.tasks.pop(task, None)
                self._tasks.pop(task, None)

        task.greenlet = greenlet.greenlet(body, parent=self._hub)
        process.tasks[task] = self._tasks[task] = None
        self.resume_later(task, task.token)
        return task

    def resume_later(self, task: Task, token: int, after_ms: int = 0) -> None:
        self._count += 1
        heapq.heappush(self._queue, (self.now + after_ms, self._random(), self._count, task, token))

    def sleep(self, ms: int) -> None:
        """Let time pass for the current task."""
        task = self._begin_wait()
        self.resume_later(task, task.token, ms)
        self._hub.switch()
        task.token += 1

    def park(self, timeout_ms: int | None = None) -> None:
        """Wait until somebody calls ``wake``, at most so long. May return early: check what was waited for."""
        task = self._begin_wait()
        if timeout_ms is not None:
            self.resume_later(task, task.token, timeout_ms)
        self._hub.switch()
        task.token += 1

    def wake(self, task: Task) -> None:
        if not task.dead:
            self.resume_later(task, task.token)

    def _begin_wait(self) -> Task:
        assert self.current is not None, "only a task can wait"
        self.check_alive()
        return self.current

    def check_alive(self) -> None:
        """Raises Killed in a task that was killed while it ran."""
        if self.current is not None and self.current.dead and not self._unbroken:
            raise Killed

    @contextmanager
    def unbroken(self) -> Iterator[None]:
        """What is done in here is done to its end, even when the calling task is killed by it."""
        self._unbroken += 1
        try:
            yield
        finally:
            self._unbroken -= 1

    def bury(self, task: Task) -> None:
        task.dead = True
        if task is not self.current:
            self._buried.append(task)

    def run_until(self, done: Callable[[], bool], deadline_ms: int) -> None:
        """Run wake-ups until ``done`` (asked after each). Raises what a task raised, or Stuck at the deadline."""
        queue, buried = self._queue, self._buried
        while not done():
            if not queue or self.now > deadline_ms:
                raise Stuck("nothing is left to run" if not queue else f"not at rest after {self.now - self._start_ms} ms")
            at, _, _, task, token = heapq.heappop(queue)
            self.now = max(self.now, at)
            if task.dead or task.token != token:
                continue
            process = task.process
            if process.stopped:
                process.hold(task, token)
                continue
            self.steps += 1
            self.current = task
            task.greenlet.switch()
            self.current = None
            while buried:
                self._unwind(buried.pop())
            if self._failure is not None:
                raise self._failure

    def close(self) -> None:
        """Unwind what still stands."""
        for task in [*self._tasks, *self._buried]:
            self._unwind(task)
        self._queue.clear()

    def _unwind(self, task: Task) -> None:
        task.dead = True
        if not task.greenlet.dead:
            with suppress(Killed):  # comes back here from a task that was never begun
                task.greenlet.throw(Killed)
        self._tasks.pop(task, None)
