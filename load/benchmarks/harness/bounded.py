"""A call that ends within a bound, however it hangs: in a wait, a system call, or a loop of Python."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

T = TypeVar("T")


class TimeIsUp(BaseException):
    """Like KeyboardInterrupt, no error that a retry may swallow."""


def within(seconds: float, call: Callable[[], T]) -> T:
    """What ``call`` returns. Raises TimeIsUp in the middle of it when it takes longer. Only for a program's main thread."""
    assert threading.current_thread() is threading.main_thread()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TimeIsUp

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return call()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
