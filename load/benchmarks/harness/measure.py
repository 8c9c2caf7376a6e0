"""A benchmark is two sides of one piece of work, measured in turn in one run, and said as a ratio.

Two clocks. A side that is one thread of this process is rated by that thread's CPU time (``cpu_rate``): the turns of other
processes are then not counted. Their pressure on caches still is, on both sides; the ratio is what to trust. A side with
processes of its own, or that waits, can only be rated by the wall clock, to be read together with the load average.

A peer that takes minutes (KCL's defaults) is measured when asked for, and kept: see ``load.benchmarks.harness.recorded``.
"""

from __future__ import annotations

import cProfile
import gc
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import partial
from typing import Literal

import msgspec

from clickstream.errors import ClickstreamError


class Unmeasured(ClickstreamError):
    """A side did so little, or in so little time, that its round has no figure."""


class Unavailable(ClickstreamError):
    """What a side runs on is not on this machine: a peer's jars, the network to fetch them, a compiler."""


class Reading(msgspec.Struct, frozen=True):
    """One measurement of one side: the figure in the benchmark's unit, and what else it showed, by name."""

    figure: float
    extra: Mapping[str, float] = {}


Side = Callable[[], Reading]


class Benchmark(msgspec.Struct, frozen=True, kw_only=True):
    """What is compared with what; a ``ratio`` above 1 means that ours is the better by so much."""

    id: str
    what: str
    unit: str
    aim: str
    least: float = 0.0
    """The ratio that the aim asks for; 0: none."""
    within: Mapping[str, tuple[float, float]] = {}
    """What else the aim asks for: least and most, by the name in ``Result.extra``."""
    better: Literal["more", "less"] = "more"
    """Whether a larger or a smaller figure wins."""
    peer_name: str
    fairness: str
    """What each side does and does not do."""
    clock: Literal["CPU", "wall"]
    """Whose seconds the figures are of, or per."""
    ours: Side
    peer: Side
    rounds: int | None = None
    """Counted pairs where the usual number would take too long."""
    warm_up: bool = True
    """Whether a round that is not counted comes first; where every round starts afresh there is nothing to warm up."""
    slow_peer: bool = False
    """The peer takes minutes: its recorded reading stands for it unless it is asked to run."""
    close: Callable[[], object] = lambda: None
    """Called at the end, whatever happened: stops what both sides have used."""


#: What watches the work that :func:`cpu_rate` and :func:`process_cpu_rate` rate.
PROFILER: ContextVar[cProfile.Profile | None] = ContextVar("profiler", default=None)


def per_second(count: float, seconds: float) -> float:
    """How many a second; raises Unmeasured when nothing was done, or the clock did not move meanwhile."""
    if count <= 0 or seconds <= 0:
        raise Unmeasured(f"{count:g} done in {seconds:g} s is no rate")
    return count / seconds


def cpu_rate(count: int, work: Callable[[], object]) -> Reading:
    """``count`` per second of this thread's CPU time that ``work`` takes; the wall clock's rate stands beside as ``wall``.

    The harness's own objects are frozen meanwhile, so that no side pays for the collector walking over them.
    """
    return _rate(count, work, time.thread_time)


def _rate(count: int, work: Callable[[], object], clock: Callable[[], float]) -> Reading:
    if (profiler := PROFILER.get()) is not None:
        work = partial(profiler.runcall, work)
    gc.collect()
    gc.freeze()
    try:
        wall, cpu = time.perf_counter(), clock()
        work()
        cpu, wall = clock() - cpu, time.perf_counter() - wall
    finally:
        gc.unfreeze()
    return Reading(per_second(count, cpu), {"wall": per_second(count, wall)})


def process_cpu_rate(count: int, work: Callable[[], object]) -> Reading:
    """``cpu_rate`` of all threads of this process: for a side that has work done beside its own thread."""
    return _rate(count, work, time.process_time)
