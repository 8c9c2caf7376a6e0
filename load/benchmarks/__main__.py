"""``make bench``: ``python -m clickstream.load.benchmarks [--only ID,…] [--rounds 5] [--quick] [--live-peers]
[--write-docs]``.

Finishes on any machine, and says so in its last line: a side that comes to nothing, hangs or crashes is a result with its
reason.
Exit codes: 0 it finished, 130 interrupted; what was measured until then is written in every case.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click
import msgspec

from clickstream.load.benchmarks.catalogue import BENCHMARKS, QUICK
from clickstream.load.benchmarks.harness import documents, isolation, report
from clickstream.load.benchmarks.harness.result import Result

_BUSY = 1.0
_INTERRUPTED = 130


@click.command()
@click.option("--only", default="", help="Benchmarks to run, by id, separated by commas; the results of the others are kept.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1), help="Counted pairs per benchmark.")
@click.option("--quick", is_flag=True, help="One counted pair per benchmark, the long ones at a smaller size.")
@click.option("--out", type=click.Path(path_type=Path), help="[default: build/bench.json, or build/bench-quick.json]")
@click.option("--live-peers", is_flag=True, help="Run the peers that take minutes too, and record what they show.")
@click.option("--write-docs", is_flag=True, help="Also update docs/reference/benchmarks.md.")
def main(only: str, rounds: int, quick: bool, out: Path | None, live_peers: bool, write_docs: bool) -> None:
    """Measure each benchmark's two sides in turn, each benchmark in a process of its own; print a table, write JSON."""
    names = only.split(",") if only else list(BENCHMARKS)
    if unknown := sorted(set(names) - set(BENCHMARKS)):
        raise click.BadParameter(f"{', '.join(unknown)} (known: {', '.join(BENCHMARKS)})", param_hint="--only")
    if write_docs and quick:
        raise click.UsageError("what a quick run shows is no documentation")
    out = out or Path("build/bench-quick.json" if quick else "build/bench.json")
    effort = isolation.QUICK if quick else isolation.LIVE_PEERS if live_peers else isolation.WHOLE
    warn_if_busy()
    began, at = time.monotonic(), report.here_and_now()
    kept = report.read_json(out) if only else {}
    results: dict[str, Result] = {}
    try:
        for number, name in enumerate(names, 1):
            click.echo(f"{number}/{len(names)} {name}", err=True)
            result = isolation.measured(
                BENCHMARKS[name], msgspec.structs.replace(effort, rounds=rounds), QUICK.get(name, {}) if quick else {}
            )
            for why in result.reasons:
                click.echo(f"  {why}", err=True)
            results[name] = msgspec.structs.replace(result, at=at)
            report.write_json(_in_order({**kept, **results}), out)
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
    if results:
        click.echo(report.table(results))
        click.echo()
    click.echo(report.summary(results, len(names), time.monotonic() - began))
    if len(results) < len(names):
        sys.exit(_INTERRUPTED)
    if write_docs and (missing := BENCHMARKS.keys() - kept.keys() - results.keys()):
        click.echo(f"the page is as it was: never measured: {', '.join(sorted(missing))}", err=True)
    elif write_docs:
        documents.write_benchmarks(_in_order({**kept, **results}), documents.PAGES)


def warn_if_busy() -> None:
    if (load := os.getloadavg()[0]) > _BUSY:
        click.echo(
            f"benchmarks: the machine is busy (load average {load:.1f}): trust the ratios per CPU second, not the rest",
            err=True,
        )


def _in_order(results: dict[str, Result]) -> dict[str, Result]:
    """By the list of benchmarks; one that is no longer in it has no result either."""
    return {name: results[name] for name in BENCHMARKS if name in results}


if __name__ == "__main__":
    main()
