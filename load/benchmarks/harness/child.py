"""One benchmark, alone in its process.

``python -m clickstream.load.benchmarks.harness.child MODULE:FUNCTION --rounds N --out FILE``.

Started by :mod:`clickstream.load.benchmarks.harness.isolation`; the result goes to the file as JSON, the rounds to stderr.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import click
import msgspec

from clickstream.load.benchmarks.harness import bounded, profiled, recorded, report
from clickstream.load.benchmarks.harness.isolation import Effort
from clickstream.load.benchmarks.harness.measure import Benchmark, Reading
from clickstream.load.benchmarks.harness.result import Result
from clickstream.load.benchmarks.harness.rounds import Failure, measure, ratio, tried


@click.command()
@click.argument("built_by")
@click.option("--effort", required=True, help="As JSON.")
@click.option("--sizes", required=True, help="What its function is called with, as JSON.")
@click.option("--out", required=True, type=click.Path(path_type=Path))
def main(built_by: str, effort: str, sizes: str, out: Path) -> None:
    """Measure the benchmark that MODULE:FUNCTION builds."""
    module, function = built_by.split(":")
    wanted = msgspec.json.decode(effort, type=Effort)
    build: Callable[..., Benchmark] = getattr(importlib.import_module(module), function)
    built = tried(lambda: bounded.within(wanted.build_s, partial(build, **msgspec.json.decode(sizes))))
    if isinstance(built, Failure):
        out.write_bytes(msgspec.json.encode(Result(reasons=(built.why,))))
        return
    try:
        # written before the end, which may fail or hang as well
        out.write_bytes(msgspec.json.encode(measured(built, wanted)))
    finally:
        built.close()


def measured(benchmark: Benchmark, effort: Effort) -> Result:
    """Its rounds, told as they come; and where our side spends its time, if it falls short."""
    click.echo(f"  {benchmark.what}", err=True)
    if benchmark.slow_peer:
        benchmark = msgspec.structs.replace(benchmark, peer=_known_peer(benchmark, live=effort.live_peers))
    if effort.quick:
        benchmark = msgspec.structs.replace(benchmark, rounds=1, warm_up=False)
    result = measure(
        benchmark,
        rounds=effort.rounds,
        report=_progress(benchmark),
        load_average=load_average,
        run=partial(bounded.within, effort.side_s),
        seconds=effort.rounds_s,
    )
    if result.verdict == "no" and benchmark.clock == "CPU" and not effort.quick:
        profile = tried(lambda: bounded.within(effort.side_s, partial(profiled.dearest, benchmark.ours)))
        result = msgspec.structs.replace(result, profile=() if isinstance(profile, Failure) else profile)
    return result


def load_average() -> float:
    """Of the last minute."""
    return os.getloadavg()[0]


def _known_peer(benchmark: Benchmark, *, live: bool) -> Callable[[], Reading]:
    """The peer measured once and recorded, or as it was recorded."""

    @cache
    def peer() -> Reading:
        if live:
            recorded.write(benchmark.id, benchmark.peer())
        return recorded.read(benchmark.id)

    return peer


def _progress(benchmark: Benchmark) -> Callable[[int, Reading | None, Reading | None], None]:
    def tell(number: int, ours: Reading | None, peer: Reading | None) -> None:
        found = ratio(benchmark, ours, peer)
        sides = " against ".join("nothing" if side is None else report.figure(side.figure) for side in (ours, peer))
        click.echo(f"  {number + 1}: {sides} ({'no ratio' if found is None else f'{found:.2f}'})", err=True)

    return tell


if __name__ == "__main__":
    main()
