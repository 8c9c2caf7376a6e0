"""One Python with everything loaded, forked per shard; it is itself a fork of the supervisor, and shares what that has loaded.

KCL's daemon starts a process per shard, and each would import the same libraries and parse the same AWS service models. Here
they are loaded once; a shard's process is a fork that shares those pages and starts in milliseconds. ``shard.sh``, which the
daemon starts, hands its three pipes over through ``/proc`` (Linux).
"""

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType

import structlog

from clickstream.consumers.runtime.faults.stumbling import EXIT_REMEMBERED
from clickstream.consumers.runtime.worker import child
from clickstream.consumers.runtime.worker.forks import fork
from clickstream.errors import ClickstreamError
from clickstream.settings import Settings, from_env
from clickstream.telemetry import logs

log = structlog.get_logger()


def main(directory: Path, prepare: Callable[[Settings], child.Prepared], environment: Mapping[str, str]) -> int:
    """Serve requests from ``directory/requests`` until the supervisor ends us."""
    prepared = prepare(from_env(environment))
    child.tune_garbage_collector()
    logs.to_stderr(prepared.settings.log_level, readable=False)
    requests = open_requests(directory)
    (directory / "ready").touch()
    return fork_until_one_dies(requests, directory, lambda: child.run(prepared))


def fork_until_one_dies(requests: int, directory: Path, serve: Callable[[], int]) -> int:
    """Fork a shard's process per request; returns 1 or EXIT_REMEMBERED when one of them ends other than well.

    KCL gives up then, all shards of the worker with it, but only after its whole shutdown grace: it waits for the dead one to
    drain. Our own end makes the supervisor start everything again at once, half a minute earlier.
    """
    signal.signal(signal.SIGCHLD, _reap)
    try:
        for pid in waiting_shards(requests):
            fork_shard(pid, directory, serve)
    except ShardProcessDied as died:
        log.error("the worker must start again", reason=str(died))
        return EXIT_REMEMBERED if died.code == EXIT_REMEMBERED else 1
    return 1


class ShardProcessDied(ClickstreamError):
    """A fork was killed, or ended with an exit code that is not 0 (it has said why)."""

    def __init__(self, pid: int, code: int) -> None:
        super().__init__(f"shard process {pid} ended with status {code}")
        self.code = code


def _reap(_number: int, _frame: FrameType | None) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return  # no forks are left
        if pid == 0:
            return
        if status != 0:
            raise ShardProcessDied(pid, os.waitstatus_to_exitcode(status))


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
    return os.open(directory / "requests", os.O_RDWR)


def fork_shard(pid: int, directory: Path, serve: Callable[[], int]) -> None:
    """Fork a process that takes over the pipes of process ``pid`` and serves the daemon on them; it ends when we do.

    The pipe's end would tell it too, but not while it waits for a store that is down.
    """

    def take_over() -> int:
        for fd, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
            pipe = os.open(f"/proc/{pid}/fd/{fd}", mode)
            os.dup2(pipe, fd)
            os.close(pipe)
        done = os.open(directory / f"{pid}.done", os.O_WRONLY)
        code = serve()
        os.write(done, b"%d\n" % code)
        return code

    fork("shard", take_over)
