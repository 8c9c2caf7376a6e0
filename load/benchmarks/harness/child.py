"""One benchmark, alone in its process.

``python -m clickstream.load.benchmarks.harness.child MODULE:FUNCTION --rounds N --out FILE``.

Started by :mod:`clickstream.load.benchmarks.harness.isolation`; the result goes to the file as JSON, the rounds to stderr.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from clickstream.errors import ClickstreamError
from clickstream.load.benchmarks.harness import recorded, report
from clickstream.load.benchmarks.harness.isolation import UNAVAILABLE
from clickstream.load.benchmarks.harness.measure import Benchmark, Reading, Unavailable, measure, ratio


@click.command()
@click.argument("built_by")
@click.option("--rounds", required=True, type=int)
@click.option("--out", required=True, type=click.Path(path_type=Path))
@click.option("--live-peers", is_flag=True)
@click.option("--quick", is_flag=True)
def main(built_by: str, rounds: int, out: Path, live_peers: bool, quick: bool) -> None:
    """Measure the benchmark that MODULE:FUNCTION builds."""
    module, function = built_by.split(":")
    try:
        benchmark: Benchmark = getattr(importlib.import_module(module), function)()
    except Unavailable as error:
        click.echo(f"not run: {error}", err=True)
        sys.exit(UNAVAILABLE)
    if quick:
        benchmark = msgspec.structs.replace(benchmark, rounds=1)
    click.echo(f"{benchmark.id}: {benchmark.what}", err=True)
    try:
        if benchmark.slow_peer:
            benchmark = _with_known_peer(benchmark, live=live_peers)
        result = measure(benchmark, rounds=rounds, report=_progress(benchmark), load_average=load_average)
    except ClickstreamError as error:
        raise click.ClickException(str(error)) from error
    finally:
        benchmark.close()
    out.write_bytes(msgspec.json.encode(result))


def load_average() -> float:
    """Of the last minute."""
    return os.getloadavg()[0]


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
