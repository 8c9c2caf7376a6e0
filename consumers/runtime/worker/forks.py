"""Processes without a program of their own: forks, which share what we have loaded, and die with us."""

import ctypes
import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable

import structlog

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
#: Loaded by the time of a fork: in the child it may be too late.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

log = structlog.get_logger()


def end_with_parent(parent: int | None = None) -> None:
    """Be killed when the process (strictly: the thread) that started us ends, however it ends; at once if ``parent`` has.

    Linux; elsewhere a process must notice by itself.
    """
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if parent is not None and os.getppid() != parent:  # it died between the fork and the request
            os._exit(1)


def fork(name: str, work: Callable[[], int]) -> int:
    """A child that does ``work``, whose result is its exit code; returns its process id. ``ps -o comm`` shows ``name``."""
    parent = os.getpid()
    gc.freeze()  # the collector's marks on what is shared would be copies of its pages
    if pid := os.fork():
        return pid
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        end_with_parent(parent)
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_NAME, name.encode())
        code = work()
    except BaseException:  # noqa: BLE001  # nothing goes back into the parent
        log.error(f"a bug ends the {name} process", traceback=traceback.format_exc())
    finally:
        # never back into the parent's own loop, whatever happened
        sys.stderr.flush()
        os._exit(code)
