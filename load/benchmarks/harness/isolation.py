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
from collections.abc import Mapping
from pathlib import Path

import msgspec

from clickstream.infra.local import processes
from clickstream.load.benchmarks.harness.result import Result

#: A benchmark ends its servers and workers within a minute.
_STOP_S = 90.0


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured, and how long that may take; with these bounds a run ends whatever a side does."""

    rounds: int = 5
    """Counted pairs, at most, of a benchmark that does not say it."""
    quick: bool = False
    """One pair, without a warm-up, at a smaller size where the usual one takes long."""
    live_peers: bool = False
    build_s: float = 300.0
    """What takes longer to be ready has come to nothing: peers' jars are fetched in it, the first time."""
    side_s: float = 300.0
    """A side that runs longer, once, has come to nothing."""
    rounds_s: float = 300.0
    """No round begins that would probably end later."""
    benchmark_s: float = 1_200.0
    """A process that runs longer is ended."""


WHOLE = Effort()
QUICK = Effort(quick=True, build_s=120.0, side_s=45.0, benchmark_s=240.0)
#: KCL's defaults were seen to take twenty minutes until both workers had leases.
LIVE_PEERS = Effort(live_peers=True, side_s=1_800.0, rounds_s=1_800.0, benchmark_s=4_000.0)


def measured(built_by: str, effort: Effort, sizes: Mapping[str, float]) -> Result:
    """The benchmark that ``module:function``, called with these sizes, builds, measured in a fresh process.

    A process that comes to nothing is a result as well. Raises KeyboardInterrupt when there is one, after the process has ended
    all that it started.
    """
    with tempfile.TemporaryDirectory(prefix="clickstream-bench-") as folder:
        out = Path(folder) / "result.json"
        options = ["--effort", msgspec.json.encode(effort).decode(), "--sizes", msgspec.json.encode(sizes).decode()]
        command = [sys.executable, "-m", "clickstream.load.benchmarks.harness.child", built_by, *options, "--out", str(out)]
        # a session of its own: Ctrl-C reaches us alone, once, and is passed on; the tether ends it should we be killed
        child = subprocess.Popen(
            processes.tethered(command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )
        try:
            status = child.wait(effort.benchmark_s)
            how = f"its process ended with {f'exit code {status}' if status >= 0 else signal.Signals(-status).name}"
        except subprocess.TimeoutExpired:
            _interrupt(child)
            how = f"its process did not end within {effort.benchmark_s:.0f} s"
        except KeyboardInterrupt:
            _interrupt(child)
            raise
        return msgspec.json.decode(out.read_bytes(), type=Result) if out.exists() else Result(reasons=(how,))


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
