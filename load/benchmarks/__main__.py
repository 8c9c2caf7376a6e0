"""``make bench``: ``python -m load.benchmarks [--only ID,…] [--rounds 5]``. Never fails by a timing."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from load.benchmarks import report
from load.benchmarks.measure import Result, measure

#: id → "module:function" that builds it
BENCHMARKS = {
    "pipe": "load.benchmarks.pipe:benchmark",
    "decode": "load.benchmarks.decode:benchmark",
    "aggregate": "load.benchmarks.aggregation:aggregate",
    "deaggregate": "load.benchmarks.aggregation:deaggregate",
    "fold": "load.benchmarks.fold:benchmark",
    "recommend": "load.benchmarks.recommend:benchmark",
}


@click.command()
@click.option("--only", default="", help="Benchmarks to run, by id, separated by commas.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1), help="Counted pairs per benchmark.")
@click.option("--out", default="build/bench.json", show_default=True, type=click.Path(path_type=Path))
def main(only: str, rounds: int, out: Path) -> None:
    """Measure each benchmark's two sides in turn; print a table, write JSON."""
    results: dict[str, Result] = {}
    for name in only.split(",") if only else BENCHMARKS:
        if name not in BENCHMARKS:
            raise click.BadParameter(f"{name}: the benchmarks are {', '.join(BENCHMARKS)}", param_hint="--only")
        module, function = BENCHMARKS[name].split(":")
        benchmark = getattr(importlib.import_module(module), function)()
        click.echo(f"{name}: {benchmark.what}", err=True)
        results[name] = measure(
            benchmark,
            rounds=rounds,
            report=lambda number, ours, peer: click.echo(f"  {number + 1}: {ours:,.0f} against {peer:,.0f}", err=True),
        )
        report.write_json(results, out)
    click.echo(report.table(results))


if __name__ == "__main__":
    main()
