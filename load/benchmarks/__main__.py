"""``make bench``: ``python -m clickstream.load.benchmarks [--only ID,…] [--rounds 5] [--quick] [--live-peers]
[--write-docs]``.

Never fails by a timing. Exit codes: 0 all were measured that can be on this machine (the others are named at the end), 1 some
failed, 130 interrupted; what was measured until then is written in every case.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from clickstream.load.benchmarks.harness import documents, isolation, report
from clickstream.load.benchmarks.harness.measure import Result

#: id → "module:function" that builds it
BENCHMARKS = {
    "pipe": "clickstream.load.benchmarks.codec.pipe:benchmark",
    "pipe-single": "clickstream.load.benchmarks.codec.pipe:single",
    "decode": "clickstream.load.benchmarks.codec.decode:benchmark",
    "decode-own": "clickstream.load.benchmarks.codec.own_types:benchmark",
    "aggregate": "clickstream.load.benchmarks.codec.aggregation:aggregate",
    "deaggregate": "clickstream.load.benchmarks.codec.aggregation:deaggregate",
    "fold": "clickstream.load.benchmarks.folding.fold:benchmark",
    "fold-fraud": "clickstream.load.benchmarks.folding.fold:fraud",
    "fold-recommendations": "clickstream.load.benchmarks.folding.fold:recommendations",
    "short": "clickstream.load.benchmarks.folding.short:benchmark",
    "overhead": "clickstream.load.benchmarks.folding.overhead:benchmark",
    "overhead-kcl": "clickstream.load.benchmarks.folding.overhead_kcl:benchmark",
    "publish": "clickstream.load.benchmarks.publishing.publish:benchmark",
    "fill": "clickstream.load.benchmarks.publishing.fill:benchmark",
    "low-traffic": "clickstream.load.benchmarks.publishing.low_traffic:benchmark",
    "recommend": "clickstream.load.benchmarks.recommending.in_process:benchmark",
    "recommend-serenade": "clickstream.load.benchmarks.recommending.in_process:serenade",
    "recommend-api": "clickstream.load.benchmarks.recommending.over_http:benchmark",
    "java": "clickstream.load.benchmarks.workers.beside_java:benchmark",
    "end-to-end": "clickstream.load.benchmarks.workers.end_to_end:benchmark",
    "latency": "clickstream.load.benchmarks.workers.latency:benchmark",
    "footprint": "clickstream.load.benchmarks.workers.footprint:benchmark",
    "cold-start": "clickstream.load.benchmarks.workers.starts:cold_start",
    "takeover": "clickstream.load.benchmarks.workers.starts:takeover",
    "growth-users": "clickstream.load.benchmarks.folding.growth:users",
    "growth-windows": "clickstream.load.benchmarks.folding.growth:windows",
    "growth-shards": "clickstream.load.benchmarks.folding.growth:shards",
}
_BUSY = 1.0
_INTERRUPTED = 130


@click.command()
@click.option("--only", default="", help="Benchmarks to run, by id, separated by commas.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1), help="Counted pairs per benchmark.")
@click.option("--quick", is_flag=True, help="One counted pair per benchmark.")
@click.option("--out", default="build/bench.json", show_default=True, type=click.Path(path_type=Path))
@click.option("--live-peers", is_flag=True, help="Run the peers that take minutes too, and record what they show.")
@click.option("--write-docs", is_flag=True, help="Also update docs/reference/benchmarks.md (needs the dependency group bench).")
def main(only: str, rounds: int, quick: bool, out: Path, live_peers: bool, write_docs: bool) -> None:
    """Measure each benchmark's two sides in turn, each benchmark in a process of its own; print a table, write JSON."""
    names = only.split(",") if only else list(BENCHMARKS)
    if unknown := sorted(set(names) - set(BENCHMARKS)):
        raise click.BadParameter(f"{', '.join(unknown)} (known: {', '.join(BENCHMARKS)})", param_hint="--only")
    warn_if_busy()
    results: dict[str, Result] = {}
    failed: list[str] = []
    not_run: list[str] = []
    interrupted = False
    for name in names:
        try:
            results[name] = isolation.measured(BENCHMARKS[name], rounds=rounds, live_peers=live_peers, quick=quick)
        except isolation.NotRun:
            not_run.append(name)
        except isolation.Failed as error:
            click.echo(f"{name}: {error}", err=True)
            failed.append(name)
        except KeyboardInterrupt:
            interrupted = True
            break
        else:
            report.write_json(results, out)
    if results:
        click.echo(report.table(results))
    left = names[len(results) + len(failed) + len(not_run) :]
    for what, which in (("not run", not_run), ("failed", failed), ("not measured", left)):
        if which:
            click.echo(f"benchmarks: {what}: {', '.join(which)}", err=True)
    if write_docs and len(results) < len(names):
        click.echo("benchmarks: the documentation is as it was: it is written from a whole run alone", err=True)
    if interrupted or failed:
        sys.exit(_INTERRUPTED if interrupted else 1)
    if write_docs and len(results) == len(names):
        documents.write_benchmarks(results, documents.PAGES)


def warn_if_busy() -> None:
    if (load := os.getloadavg()[0]) > _BUSY:
        click.echo(
            f"benchmarks: the machine is busy (load average {load:.1f}): trust the ratios per CPU second, not the rest",
            err=True,
        )


if __name__ == "__main__":
    main()
