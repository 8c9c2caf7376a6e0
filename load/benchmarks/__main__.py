"""``make bench``: ``python -m load.benchmarks [--only ID,…] [--rounds 5] [--write-docs]``. Never fails by a timing."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import click

from load.benchmarks import documents, report
from load.benchmarks.measure import Reading, Result, measure

#: id → "module:function" that builds it
BENCHMARKS = {
    "pipe": "load.benchmarks.pipe:benchmark",
    "decode": "load.benchmarks.decode:benchmark",
    "aggregate": "load.benchmarks.aggregation:aggregate",
    "deaggregate": "load.benchmarks.aggregation:deaggregate",
    "fold": "load.benchmarks.fold:benchmark",
    "fold-fraud": "load.benchmarks.fold:fraud",
    "fold-recommendations": "load.benchmarks.fold:recommendations",
    "fill": "load.benchmarks.fill:benchmark",
    "recommend": "load.benchmarks.recommend:benchmark",
    "recommend-api": "load.benchmarks.recommend_api:benchmark",
    "collect": "load.benchmarks.collect:batches",
    "collect-one": "load.benchmarks.collect:singles",
    "telemetry": "load.benchmarks.telemetry:shard",
    "telemetry-collect": "load.benchmarks.telemetry:collector",
}
_BUSY = 1.0


@click.command()
@click.option("--only", default="", help="Benchmarks to run, by id, separated by commas.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1), help="Counted pairs per benchmark.")
@click.option("--out", default="build/bench.json", show_default=True, type=click.Path(path_type=Path))
@click.option("--write-docs", is_flag=True, help="Also bring docs/benchmarks.md up to date (needs the dependency group bench).")
def main(only: str, rounds: int, out: Path, write_docs: bool) -> None:
    """Measure each benchmark's two sides in turn; print a table, write JSON."""
    names = only.split(",") if only else list(BENCHMARKS)
    if unknown := sorted(set(names) - set(BENCHMARKS)):
        raise click.BadParameter(f"{', '.join(unknown)} (known: {', '.join(BENCHMARKS)})", param_hint="--only")
    warn_if_busy()
    results: dict[str, Result] = {}
    for name in names:
        module, function = BENCHMARKS[name].split(":")
        benchmark = getattr(importlib.import_module(module), function)()
        click.echo(f"{name}: {benchmark.what}", err=True)
        results[name] = measure(benchmark, rounds=rounds, report=_progress, load_average=load_average)
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


def _progress(number: int, ours: Reading, peer: Reading) -> None:
    line = f"  {number + 1}: {report.figure(ours.figure)} against {report.figure(peer.figure)}"
    click.echo(f"{line} ({ours.figure / peer.figure:.2f})", err=True)


if __name__ == "__main__":
    main()
