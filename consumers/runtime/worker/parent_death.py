"""A process that dies with its parent (Linux; elsewhere it must notice by itself)."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
#: Loaded by the time of a fork: in the child it may be too late.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def end_with_parent(parent: int | None = None) -> None:
    """Be killed when the process (strictly: the thread) that started us ends, however it ends; at once if ``parent`` has."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if parent is not None and os.getppid() != parent:  # it died between the fork and the request
            os._exit(1)
