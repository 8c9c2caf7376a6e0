"""One worker id, one daemon: a lock file that lives as long as the JVM."""

import fcntl
import os
import time
from pathlib import Path

from clickstream.errors import UserMistake

#: A daemon whose supervisor was killed dies a moment later.
_PATIENCE_S = 2.0


def lock(path: Path) -> int:
    """Take an flock on ``path``; returns its descriptor. Raises UserMistake when another process does not give it up.

    KCL lets a worker renew leases that carry its own id; two daemons with one id would both read every shard of it. The JVM
    inherits the descriptor, so the lock outlives a supervisor that was killed with -9.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                holder = path.read_text().strip()
                os.close(fd)
                raise UserMistake(
                    f"worker {path.stem} is already running" + (f" (pid {holder})" if holder else ""),
                    hint="give this one an id of its own: clickstream worker APP -w ID",
                ) from None
            time.sleep(0.05)
    os.ftruncate(fd, 0)
    os.write(fd, str(os.getpid()).encode())
    return fd
