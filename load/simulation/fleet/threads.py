"""What the runtime takes from ``threading`` and ``concurrent.futures``, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from math import ceil
from threading import Event
from typing import ParamSpec, TypeVar

from clickstream.load.simulation.fleet.scheduler import Process, Scheduler, Task

P = ParamSpec("P")
T = TypeVar("T")


class VirtualFlag(Event):
    """A ``threading.Event`` whose waiting is virtual."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__()
        self._scheduler = scheduler
        self._tasks: list[Task] = []

    def set(self) -> None:
        super().set()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            self._scheduler.wake(task)

    def wait(self, timeout: float | None = None) -> bool:
        if not self.is_set() and self._scheduler.current is not None:
            self._tasks.append(self._scheduler.current)
            self._scheduler.park(None if timeout is None else ceil(timeout * 1000))
        return self.is_set()


class VirtualFuture(Future[T]):
    """A future that a task can wait for without a thread."""

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__()
        self._scheduler = scheduler
        self._task: Task | None = None

    def result(self, timeout: float | None = None) -> T:
        deadline = None if timeout is None else self._scheduler.now + ceil(timeout * 1000)
        while not self.done():
            left = None if deadline is None else deadline - self._scheduler.now
            if left is not None and left <= 0:
                raise TimeoutError
            self._task = self._scheduler.current
            self._scheduler.park(left)
        return super().result(0)

    def ended(self) -> None:
        if self._task is not None:
            self._scheduler.wake(self._task)


class VirtualExecutor(Executor):
    """The commit thread of one process: a task beside its main one."""

    def __init__(self, scheduler: Scheduler, process: Process) -> None:
        self._scheduler = scheduler
        self._process = process

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: VirtualFuture[T] = VirtualFuture(self._scheduler)

        def run() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except Exception as error:  # noqa: BLE001  # an executor hands every exception to its future
                future.set_exception(error)
            future.ended()

        self._process.spawn(run, "commits")
        return future


class InlineExecutor(Executor):
    """Runs at once, in the caller's task: for threads whose interleaving is of no interest."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  # as above
            future.set_exception(error)
        return future
