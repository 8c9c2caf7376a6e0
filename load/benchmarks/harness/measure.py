"""A benchmark is two sides of one piece of work, measured in turn in one run, and said as a ratio.

Two clocks. A side that is one thread of this process is rated by that thread's CPU time (``cpu_rate``): the turns of other
processes are then not counted. Their pressure on caches still is, on both sides; the ratio is what to trust. A side with
processes of its own, or that waits, can only be rated by the wall clock, to be read together with the load average.

A peer that takes minutes (KCL's defaults) is measured when asked for, and kept: see ``load.benchmarks.harness.recorded``.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from math import inf
from typing import Literal

import msgspec

from clickstream.errors import ClickstreamError


class Unmeasured(ClickstreamError):
    """A side did so little, or in so little time, that there is nothing to compare: run it again on a quieter machine."""


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


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Medians over the rounds; ``ratio`` is the median of the rounds' own ratios, ``spread`` their least and greatest."""

    ours: float
    peer: float
    unit: str
    ratio: float
    spread: tuple[float, float]
    aim: str
    least: float
    within: Mapping[str, tuple[float, float]]
    better: Literal["more", "less"]
    peer_name: str
    what: str
    fairness: str
    clock: Literal["CPU", "wall"]
    rounds: int
    load_average: tuple[float, float]
    """Of the minute before the first round and before the end."""
    extra: dict[str, float]
    """Medians of what else the sides showed, as ``ours <name>`` and ``peer <name>``."""

    @property
    def reached(self) -> bool:
        """Whether the aim is, in every respect."""
        return self.margin >= 1

    @property
    def margin(self) -> float:
        """How many times better than the aim, in the respect that is tightest: 1 and more is reached."""
        by_bounds = [
            min(_over(self.extra[name], low), _over(high, self.extra[name])) for name, (low, high) in self.within.items()
        ]
        return min([_over(self.ratio, self.least), *by_bounds])


def _over(value: float, asked: float) -> float:
    return value / asked if asked else inf


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
    gc.collect()
    gc.freeze()
    try:
        wall, cpu = time.perf_counter(), clock()
        work()
        cpu, wall = clock() - cpu, time.perf_counter() - wall
    finally:
        gc.unfreeze()
    return Reading(per_second(count, cpu), {"wall": per_second(count, wall)})


def measure(
    benchmark: Benchmark,
    *,
    rounds: int,
    report: Callable[[int, Reading, Reading], None],
    load_average: Callable[[], float],
) -> Result:
    """Both sides in turn, after a round that is not counted; a drift of the machine hits both alike.

    Raises Unmeasured when a side came to nothing.
    """
    before = load_average()
    if benchmark.warm_up:
        benchmark.ours()
        benchmark.peer()
    pairs: list[tuple[Reading, Reading]] = []
    for number in range(benchmark.rounds or rounds):
        # the side that goes first changes, so that neither always runs on the other's warm or busy machine
        if number % 2:
            peer = benchmark.peer()
            ours = benchmark.ours()
        else:
            ours = benchmark.ours()
            peer = benchmark.peer()
        pairs.append((ours, peer))
        report(number, ours, peer)
    ratios = [ratio(benchmark, ours, peer) for ours, peer in pairs]
    return Result(
        ours=statistics.median(ours.figure for ours, _ in pairs),
        peer=statistics.median(peer.figure for _, peer in pairs),
        unit=benchmark.unit,
        ratio=statistics.median(ratios),
        spread=(min(ratios), max(ratios)),
        aim=benchmark.aim,
        least=benchmark.least,
        within=benchmark.within,
        better=benchmark.better,
        peer_name=benchmark.peer_name,
        what=benchmark.what,
        fairness=benchmark.fairness,
        clock=benchmark.clock,
        rounds=len(pairs),
        load_average=(round(before, 2), round(load_average(), 2)),
        extra=_medians("ours", [ours for ours, _ in pairs]) | _medians("peer", [peer for _, peer in pairs]),
    )


def ratio(benchmark: Benchmark, ours: Reading, peer: Reading) -> float:
    """By how much ours is the better; raises Unmeasured when there is no figure to divide by."""
    better, worse = (ours, peer) if benchmark.better == "more" else (peer, ours)
    if worse.figure <= 0:
        side = "the peer" if worse is peer else "ours"
        raise Unmeasured(
            f"{benchmark.id}: {side} came to {worse.figure:g} {benchmark.unit}, which nothing can be compared with"
        )
    return better.figure / worse.figure


def process_cpu_rate(count: int, work: Callable[[], object]) -> Reading:
    """``cpu_rate`` of all threads of this process: for a side that has work done beside its own thread."""
    return _rate(count, work, time.process_time)


def _medians(side: str, readings: list[Reading]) -> dict[str, float]:
    return {f"{side} {name}": statistics.median(reading.extra[name] for reading in readings) for name in readings[0].extra}
