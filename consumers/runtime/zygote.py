"""One Python with everything loaded, forked per shard: ``python -m consumers.runtime.zygote APPLICATION DIRECTORY``.

KCL's daemon starts a process per shard, and each would import the same libraries and parse the same AWS service models. Here
they are loaded once; a shard's process is a fork that shares those pages and starts in milliseconds. ``shard.sh``, which the
daemon starts, hands its three pipes over through ``/proc`` (Linux).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from clickstream.settings import from_env
from consumers.runtime import child

_PR_SET_PDEATHSIG = 1


def main(arguments: Sequence[str]) -> int:
    """Serve requests from ``DIRECTORY/requests`` until the supervisor ends us."""
    application_name, directory = arguments[0], Path(arguments[1])
    end_with_parent()
    prepared = child.prepare(application_name, from_env())
    child.tune_garbage_collector()
    requests = open_requests(directory)
    # dead forks are reaped by the kernel: their exit code reaches the daemon through shard.sh
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    (directory / "ready").touch()
    for pid in waiting_shards(requests):
        fork_shard(pid, directory, lambda: child.run(prepared))
    return 0


def waiting_shards(fd: int) -> Iterator[int]:
    """Process ids of waiting ``shard.sh``, as they come; never ends."""
    rest = b""
    while True:
        *lines, rest = (rest + os.read(fd, 4096)).split(b"\n")
        yield from (int(line) for line in lines)


def open_requests(directory: Path) -> int:
    """The pipe that ``shard.sh`` writes to; opened for writing too, so that it does not end with its first writer.

    The launcher makes it before both sides start: a shard that asks early waits for us.
    """
    path = directory / "requests"
    if not path.is_fifo():
        os.mkfifo(path, 0o600)
    return os.open(path, os.O_RDWR)


def fork_shard(pid: int, directory: Path, serve: Callable[[], int]) -> None:
    """Fork a process that takes over the pipes of process ``pid`` and serves the daemon on them."""
    if os.fork():
        return
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for fd, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
            pipe = os.open(f"/proc/{pid}/fd/{fd}", mode)
            os.dup2(pipe, fd)
            os.close(pipe)
        done = os.open(directory / f"{pid}.done", os.O_WRONLY)
        code = serve()
        os.write(done, b"%d\n" % code)
    finally:
        # never back into the zygote's own loop, whatever happened
        sys.stderr.flush()
        os._exit(code)


def end_with_parent() -> None:
    """Be killed when the process that started us ends, however it ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
