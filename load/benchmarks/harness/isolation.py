"""A process of its own for each benchmark, as each shard has one.

In one process for all, a benchmark was measured in a heap that those before it had left in pieces: the folds then came to
0.18 of the limit, alone to 0.25.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from clickstream.errors import ClickstreamError
from clickstream.infra.local import processes
from clickstream.load.benchmarks.harness.measure import Result

#: Exit code of a benchmark whose peer cannot be had here.
UNAVAILABLE = 3
#: A benchmark ends its servers and workers within a minute.
_STOP_S = 90.0


class Failed(ClickstreamError):
    """A benchmark could not be measured; why, its process has said on stderr. The others can be."""


class NotRun(ClickstreamError):
    """What a side runs on is not on this machine; its process has said what."""


def measured(built_by: str, *, rounds: int, live_peers: bool, quick: bool) -> Result:
    """The benchmark that ``module:function`` builds, measured in a fresh process.

    Raises Failed, NotRun, and KeyboardInterrupt when there is one, after the process has ended all that it started.
    """
    with tempfile.TemporaryDirectory(prefix="clickstream-bench-") as folder:
        out = Path(folder) / "result.json"
        options = ["--rounds", str(rounds), "--out", str(out), *(["--live-peers"] if live_peers else [])]
        options += ["--quick"] if quick else []
        # a session of its own: Ctrl-C reaches us alone, once, and is passed on; the tether ends it should we be killed
        child = subprocess.Popen(
            processes.tethered([sys.executable, "-m", "clickstream.load.benchmarks.harness.child", built_by, *options]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            status = child.wait()
        except KeyboardInterrupt:
            _interrupt(child)
            raise
        if status == UNAVAILABLE:
            raise NotRun("its peer cannot be had here")
        if status:
            how = f"exit code {status}" if status > 0 else signal.Signals(-status).name
            raise Failed(f"its process ended with {how}")
        return msgspec.json.decode(out.read_bytes(), type=Result)


def _interrupt(child: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C would; killed with its whole session when it takes too long."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave its servers behind
    try:
        child.send_signal(signal.SIGINT)
        child.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    finally:
        signal.signal(signal.SIGINT, before)
