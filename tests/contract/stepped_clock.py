"""Runs the embedded Kinesis with a clock that SIGUSR2 moves forward by CLOCK_STEP_MS, as kinesis_mock_preload.cjs does.

A script, not a fixture: the server's own code reads the clock as ever, and has no test switch in it.
"""

from __future__ import annotations

import os
import runpy
import signal
import time
from types import FrameType

_ahead_ns = 0
_time_ns = time.time_ns


def _step(_signal: int, _frame: FrameType | None) -> None:
    global _ahead_ns
    _ahead_ns += int(os.environ["CLOCK_STEP_MS"]) * 1_000_000


def _stepped_ns() -> int:
    return _time_ns() + _ahead_ns


if __name__ == "__main__":
    signal.signal(signal.SIGUSR2, _step)
    time.time_ns = _stepped_ns
    time.time = lambda: _stepped_ns() / 1e9
    runpy.run_module("clickstream.infra.local.kinesis", run_name="__main__", alter_sys=True)
