"""``clickstream serve`` as the process that it is in life, and what it costs."""

from __future__ import annotations

import os
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

from clickstream.settings import Settings, environment


class Serving(msgspec.Struct, frozen=True):
    """A running server."""

    process: subprocess.Popen[bytes]
    url: str
    """Without a slash at its end."""
    log: Path

    def cpu_s(self) -> float:
        """Seconds of CPU time that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(settings: Settings, *options: str) -> Iterator[Serving]:
    command = [sys.executable, "-m", "clickstream.cli", "serve", "--port", "0", *options]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "stderr"
        with log.open("wb") as output, subprocess.Popen(command, stderr=output, env=environment(settings)) as process:
            try:
                yield Serving(process, _ready(process, log), log)
            finally:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()


def _ready(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + 60
    while (found := re.search(r"serving on (http://[^/\s]+)/", log.read_text())) is None:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, "did not come up in time"
        time.sleep(0.02)
    return found[1]
