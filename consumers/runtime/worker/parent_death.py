"""A process that dies with its parent (Linux; elsewhere it must notice by itself)."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Be killed when the process that started us ends, however it ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def kill_with_parent() -> Callable[[], None] | None:
    """A ``preexec_fn`` for subprocess.Popen: the kernel sends SIGKILL to the child when the thread that forked it ends.

    None where the kernel cannot. Call it before the fork: the library must be loaded by then.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def in_child() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died between the fork and the request
            os._exit(1)

    return in_child
