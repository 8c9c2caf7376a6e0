"""stdin and stdout of a shard's process belong to the daemon's protocol; nothing else may touch them."""

from __future__ import annotations

import os
import select
import sys
import threading


def take_over() -> tuple[int, int]:
    """Keep the protocol to ourselves: a stray ``print()`` goes to stderr, and no library can read the daemon's words.

    A daemon killed with -9 closes the pipe too, but a busy or hanging child would notice only at its next read; the watcher
    notices at once, and a child without a daemon must not go on.
    """
    read_fd, write_fd = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    threading.Thread(target=_exit_when_closed, args=(read_fd,), name="daemon-watch", daemon=True).start()
    return read_fd, write_fd


def _exit_when_closed(fd: int) -> None:
    poll = select.poll()
    poll.register(fd, 0)  # nothing but the hang-up is asked for
    poll.poll()
    os._exit(0)
