"""Benchmarks whose sides return figures that are fixed in advance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clickstream.load.benchmarks.harness.measure import Benchmark, Reading, Side
from clickstream.load.benchmarks.harness.result import Result
from clickstream.load.benchmarks.harness.rounds import measure


def side(name: str, figures: list[float], calls: list[str]) -> Side:
    coming: Iterator[float] = iter(figures)

    def side() -> Reading:
        calls.append(name)
        figure = next(coming)
        return Reading(figure, {"doubled": 2 * figure})

    return side


def benchmark(ours: Side, peer: Side, **asked: Any) -> Benchmark:
    return Benchmark(
        id="x",
        what="something",
        unit="events/s",
        peer_name="the other",
        fairness="Both do it.",
        clock="CPU",
        ours=ours,
        peer=peer,
        **{"aim": "≥ 2x", "least": 2, **asked},
    )


def measured(ours: list[float], peer: list[float], *, rounds: int, own_rounds: int | None = None) -> tuple[Result, list[str]]:
    calls: list[str] = []
    loads = iter([0.5, 1.25])
    made = benchmark(side("ours", ours, calls), side("peer", peer, calls), rounds=own_rounds)
    result = measure(made, rounds=rounds, report=lambda *_: None, load_average=lambda: next(loads))
    return result, calls
