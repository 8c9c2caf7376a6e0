"""Where a side spends its time: the functions that are dearest by themselves."""

from __future__ import annotations

import cProfile
from collections.abc import Callable
from pathlib import Path
from types import CodeType

from clickstream.load.benchmarks.harness.measure import PROFILER

_LINES = 8
_ROOT = Path(__file__).resolve().parents[3]


def dearest(side: Callable[[], object]) -> tuple[str, ...]:
    """Of one more run of a side, a line a function with its own share; only what ``cpu_rate`` and its like rate shows.

    The profiler makes each call dearer, so small functions look larger than they are.
    """
    profiler = cProfile.Profile()
    token = PROFILER.set(profiler)
    try:
        side()
    finally:
        PROFILER.reset(token)
    entries = sorted(profiler.getstats(), key=lambda entry: entry.inlinetime, reverse=True)
    whole = sum(entry.inlinetime for entry in entries)
    return tuple(f"{entry.inlinetime / whole:.0%} {_named(entry.code)}" for entry in entries[:_LINES])


def _named(code: CodeType | str) -> str:
    if isinstance(code, str):
        return code
    file = Path(code.co_filename).resolve()
    place = file.relative_to(_ROOT) if file.is_relative_to(_ROOT) else Path(file.name)
    return f"{place}:{code.co_firstlineno} {code.co_name}"
