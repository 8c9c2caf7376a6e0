"""A benchmark is two sides of one piece of work, measured in turn in one run, and said as a ratio."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Literal

import msgspec

#: One measurement of one side, in the benchmark's unit.
Side = Callable[[], float]


class Benchmark(msgspec.Struct, frozen=True, kw_only=True):
    """What is compared with what; the ratio is ours to the peer's, and ``better`` says which way a figure wins."""

    id: str
    what: str
    unit: str
    aim: str
    peer_name: str
    fairness: str
    """What each side does and does not do."""
    ours: Side
    peer: Side
    better: Literal["larger", "smaller"] = "larger"


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Medians over the rounds; ``ratio`` is the median of the rounds' own ratios, ``spread`` their least and greatest."""

    ours: float
    peer: float
    unit: str
    ratio: float
    spread: tuple[float, float]
    aim: str
    peer_name: str
    what: str
    fairness: str
    rounds: int


def measure(benchmark: Benchmark, *, rounds: int, report: Callable[[int, float, float], None]) -> Result:
    """Both sides in turn, after a round that is not counted; a drift of the machine hits both alike."""
    benchmark.ours()
    benchmark.peer()
    pairs: list[tuple[float, float]] = []
    for number in range(rounds):
        # the side that goes first changes, so that neither always runs on the other's warm or busy machine
        if number % 2:
            peer = benchmark.peer()
            ours = benchmark.ours()
        else:
            ours = benchmark.ours()
            peer = benchmark.peer()
        pairs.append((ours, peer))
        report(number, ours, peer)
    ratios = [ours / peer for ours, peer in pairs]
    return Result(
        ours=statistics.median(ours for ours, _ in pairs),
        peer=statistics.median(peer for _, peer in pairs),
        unit=benchmark.unit,
        ratio=statistics.median(ratios),
        spread=(min(ratios), max(ratios)),
        aim=benchmark.aim,
        peer_name=benchmark.peer_name,
        what=benchmark.what,
        fairness=benchmark.fairness,
        rounds=rounds,
    )
