"""A stream under analytics: its worker, what the worker's log says, and what was counted."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from clickstream.aws import Clients
from clickstream.infra.local import roles
from clickstream.load.verdict import progress
from clickstream.settings import Settings, environment

#: Far above what is measured: a busy machine fails no test.
DEADLINE_S = 120.0

#: An error of the daemon as the product's logback.xml writes it, or the one here: time, level, "kcl", logger, message.
_ERROR_OF_KCL = re.compile(r'^\{"logger":"kcl\..*"level":"error".*|^\d\d:\d\d:\d\d\.\d{3} ERROR +kcl .*\n.*', re.MULTILINE)


class Platform:
    """``settings.stream``, its worker, and the counters that the worker leaves in the shards table."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = msgspec.structs.replace(settings, local_dir=folder)
        self.stream = settings.stream
        self.clients = Clients(settings)
        self.kinesis: Any = self.clients.kinesis
        self.log = folder / "worker.log"

    @contextmanager
    def worker(self, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        """A worker of analytics that owns every shard; ``options`` are the command's.

        It is killed at the end, since a drain right after a reshard takes long.
        (KCL's poller of an ended shard sits there for 60 s more, and a SIGTERM waits for it as long as KCL's grace allows.)
        """
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "clickstream.cli", "worker", "analytics", *options],
                env=environment(roles.prepared(self.settings, "analytics")),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            shards = len(self.kinesis.list_shards(StreamName=self.stream)["Shards"])
            self.wait_until(lambda: len(self.counted()) == shards, "every shard has an owner", process)
            yield process
        finally:
            process.kill()  # its JVM and shard processes die with it
            process.wait()

    def counted(self) -> dict[str, progress.ShardProgress]:
        """By shard."""
        return {shard.shard: shard for shard in progress.read(self.clients.dynamodb, self.settings, "analytics")}

    def wait_until(self, condition: Callable[[], bool], what: str, worker: subprocess.Popen[bytes] | None = None) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert worker is None or worker.poll() is None, f"the worker died:\n{self.log.read_text()}"
            assert time.monotonic() < deadline, f"not in time: {what}\n{self.log.read_text()}"
            time.sleep(0.1)

    def errors_of_kcl(self) -> list[str]:
        return errors_of_kcl(self.log.read_text(encoding="utf-8"))


def errors_of_kcl(log: str) -> list[str]:
    """The daemon's lines at ERROR, each with the line that follows: the exception, if there is one."""
    return _ERROR_OF_KCL.findall(log)
