"""The embedded Kinesis and the collector as the processes that they are in life."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from clickstream.infra.local import roles
from clickstream.settings import Settings, environment


class Running(msgspec.Struct, frozen=True):
    """A server and where it listens."""

    process: subprocess.Popen[bytes]
    url: str
    """Without a slash at its end."""
    log: Path
    """Its stderr."""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@contextmanager
def kinesis(state: Path, *, port: int = 0) -> Iterator[Running]:
    """An embedded Kinesis with the limits of shards that keeps its streams in ``state``."""
    command = ["-m", "clickstream.infra.local.kinesis", "--port", str(port), "--limits", "--state", str(state)]
    with _running(command, None, r"ready on (http://[^/\s]+)") as server:
        yield server


@contextmanager
def collector(settings: Settings, *options: str) -> Iterator[Running]:
    """``clickstream collect`` on a free port, with all that it could log."""
    settings = msgspec.structs.replace(settings, log_level="DEBUG")
    command = ["-m", "clickstream.cli", "collect", "--port", "0", *options]
    with _running(command, environment(roles.under(settings, "collector")), r"collecting on (http://[^/\s]+)") as server:
        yield server


@contextmanager
def _running(command: list[str], env: dict[str, str] | None, ready: str) -> Iterator[Running]:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "stderr"
        with log.open("wb") as output, subprocess.Popen([sys.executable, *command], stderr=output, env=env) as process:
            try:
                yield Running(process, _ready(process, log, ready), log)
            finally:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(timeout=30)
                except subprocess.TimeoutExpired:
                    process.kill()


def _ready(process: subprocess.Popen[bytes], log: Path, ready: str) -> str:
    deadline = time.monotonic() + 30
    while (found := re.search(ready, log.read_text())) is None:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, "did not come up in time"
        time.sleep(0.02)
    return found.group(1)
