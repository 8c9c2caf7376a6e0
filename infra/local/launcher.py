"""Starts another program so that it ends with its parent, or outlives it. Run as a script, by path, before any import of ours.

    launcher.py tethered PARENT_PID COMMAND…   becomes COMMAND, which gets SIGTERM when the thread that started it ends
    launcher.py detached COMMAND…              starts COMMAND in a session of its own, prints its process id and ends

A program in between, and not ``preexec_fn``, since that may deadlock in a parent that has threads. The tether is Linux's
PR_SET_PDEATHSIG, which stays over exec; on other systems a parent that was killed leaves its children, and only a parent that
ends in order stops them.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def tethered(parent: int, command: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("the parent ended before its child began")
    os.execvp(command[0], command)


def detached(command: list[str]) -> None:
    child = os.fork()
    if child:
        sys.stdout.write(f"{child}\n")
        return
    os.setsid()
    os.dup2(2, 1)  # the starter waits for the end of our stdout, which must not be when COMMAND ends
    os.execvp(command[0], command)


if __name__ == "__main__":
    if sys.argv[1] == "tethered":
        tethered(int(sys.argv[2]), sys.argv[3:])
    else:
        detached(sys.argv[2:])
