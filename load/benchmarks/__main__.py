"""``make bench``: ``python -m load.benchmarks [--only ID,…] [--rounds 5] [--live-peers] [--write-docs]``.

Never fails by a timing.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from load.benchmarks import documents, recorded, report
from load.benchmarks.measure import Benchmark, Reading, Result, measure, ratio

#: id → "module:function" that builds it
BENCHMARKS = {
    "pipe": "load.benchmarks.pipe:benchmark",
    "decode": "load.benchmarks.decode:benchmark",
    "aggregate": "load.benchmarks.aggregation:aggregate",
    "deaggregate": "load.benchmarks.aggregation:deaggregate",
    "fold": "load.benchmarks.fold:benchmark",
    "fold-fraud": "load.benchmarks.fold:fraud",
    "score": "load.benchmarks.score:benchmark",
    "fold-recommendations": "load.benchmarks.fold:recommendations",
    "overhead": "load.benchmarks.overhead:benchmark",
    "overhead-kcl": "load.benchmarks.overhead_kcl:benchmark",
    "fill": "load.benchmarks.fill:benchmark",
    "recommend": "load.benchmarks.recommend:benchmark",
    "recommend-api": "load.benchmarks.recommend_api:benchmark",
    "collect": "load.benchmarks.collect:batches",
    "collect-one": "load.benchmarks.collect:singles",
    "telemetry": "load.benchmarks.telemetry:shard",
    "telemetry-collect": "load.benchmarks.telemetry:collector",
    "end-to-end": "load.benchmarks.end_to_end:benchmark",
    "latency": "load.benchmarks.latency:benchmark",
    "footprint": "load.benchmarks.footprint:benchmark",
    "cold-start": "load.benchmarks.starts:cold_start",
    "takeover": "load.benchmarks.starts:takeover",
    "growth-users": "load.benchmarks.growth:users",
    "growth-windows": "load.benchmarks.growth:windows",
    "growth-shards": "load.benchmarks.growth:shards",
}
_BUSY = 1.0


@click.command()
@click.option("--only", default="", help="Benchmarks to run, by id, separated by commas.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1), help="Counted pairs per benchmark.")
@click.option("--out", default="build/bench.json", show_default=True, type=click.Path(path_type=Path))
@click.option("--live-peers", is_flag=True, help="Run the peers that take minutes too, and record what they show.")
@click.option("--write-docs", is_flag=True, help="Also bring docs/benchmarks.md up to date (needs the dependency group bench).")
def main(only: str, rounds: int, out: Path, live_peers: bool, write_docs: bool) -> None:
    """Measure each benchmark's two sides in turn; print a table, write JSON."""
    names = only.split(",") if only else list(BENCHMARKS)
    if unknown := sorted(set(names) - set(BENCHMARKS)):
        raise click.BadParameter(f"{', '.join(unknown)} (known: {', '.join(BENCHMARKS)})", param_hint="--only")
    warn_if_busy()
    results: dict[str, Result] = {}
    for name in names:
        module, function = BENCHMARKS[name].split(":")
        benchmark: Benchmark = getattr(importlib.import_module(module), function)()
        click.echo(f"{name}: {benchmark.what}", err=True)
        try:
            if benchmark.slow_peer:
                benchmark = _with_known_peer(benchmark, live=live_peers)
            results[name] = measure(benchmark, rounds=rounds, report=_progress(benchmark), load_average=load_average)
        finally:
            benchmark.close()
        report.write_json(results, out)
    click.echo(report.table(results))
    if write_docs:
        documents.write_benchmarks(results, Path("docs"))


def load_average() -> float:
    """Of the last minute."""
    return os.getloadavg()[0]


def warn_if_busy() -> None:
    if (load := load_average()) > _BUSY:
        click.echo(
            f"benchmarks: the machine is busy (load average {load:.1f}): trust the ratios per CPU second, not the rest",
            err=True,
        )


def _with_known_peer(benchmark: Benchmark, *, live: bool) -> Benchmark:
    """The peer measured once and recorded, or as it was recorded."""
    if live:
        recorded.write(benchmark.id, benchmark.peer())
    reading = recorded.read(benchmark.id)
    return msgspec.structs.replace(benchmark, peer=lambda: reading)


def _progress(benchmark: Benchmark) -> Callable[[int, Reading, Reading], None]:
    def tell(number: int, ours: Reading, peer: Reading) -> None:
        line = f"  {number + 1}: {report.figure(ours.figure)} against {report.figure(peer.figure)}"
        click.echo(f"{line} ({ratio(benchmark, ours, peer):.2f})", err=True)

    return tell


if __name__ == "__main__":
    main()
