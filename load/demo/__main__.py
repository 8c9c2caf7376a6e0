"""The demonstration, end to end: everything up, traffic through it, and the proof that nothing was lost, duplicated or wrong.

``python -m clickstream.load.demo --seconds 60 --rate 500`` ends by itself: it verifies, prints one JSON summary as its last
stdout line and exits 0 only if all is exact. Without ``--seconds`` it runs until Ctrl-C. Every part is the
command that a person would use.
"""

from __future__ import annotations

import itertools
import json
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import click

from clickstream.load.demo.first_aggregates import FirstAggregates
from clickstream.load.demo.platform import PartEnded, Platform, run
from clickstream.load.traffic.plan import MAX_RECORDS, MAX_SECONDS
from clickstream.settings import from_env
from clickstream.web.origins import option as origin_option

#: `clickstream load verify`: not exact. Anything else that is not 0 is a failure of a part.
_NOT_EXACT = 1
_FAULTS = ("lost", "duplicated", "wrong")


class Stopped(Exception):
    """Ctrl-C or SIGTERM."""


def _demonstrate(platform: Platform, seconds: float | None, rate: float, seed: int, port: int, ledger: Path) -> int:
    environment = platform.wait_until_ready()
    FirstAggregates(port, platform.workers_started).start()
    load = ["load", "run", "--rate", str(rate), "--json"]
    if seconds is None:
        click.echo(f"{rate:g} records a second until Ctrl-C", err=True)
        # each run is bounded, as every run is: the next one takes over
        for each in itertools.count(seed):
            limits = ["--duration", str(MAX_SECONDS), "--max-records", str(MAX_RECORDS), "--no-ledger"]
            code, _ = run(platform, [*load, *limits, "--seed", str(each)], environment)
            if code != 0:
                return code
    load += ["--duration", str(seconds), "--ledger", str(ledger), "--seed", str(seed)]
    code, sent = run(platform, load, environment)
    if code != 0:
        click.echo(f"the load did not get through: {sent}", err=True)
        return code
    verify = ["load", "verify", "--ledger", str(ledger), "--json"]
    code, summary = run(platform, verify, environment, waiting="comparing every answer with what was sent")
    if code in (0, _NOT_EXACT) and summary:
        report: dict[str, Any] = json.loads(summary)
        for problem in report["problems"]:
            click.echo(f"wrong: {problem}", err=True)
        click.echo(_told(report), err=True)
        click.echo(summary)
    return code


def _told(report: dict[str, Any]) -> str:
    """The summary as a person reads it."""
    figures = ", ".join(f"{report[name]:,} {name.replace('_', ' ')}" for name in ("sent", "put", *_FAULTS, "dead_lettered"))
    return f"{'exact' if report['ok'] else 'not shown to be exact'}: {figures}"


@click.command()
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="Length of the traffic; without it, until Ctrl-C.")
@click.option("--rate", default=500.0, show_default=True, type=click.FloatRange(0, min_open=True), help="Records per second.")
@click.option("--seed", default=1, show_default=True, help="The same seed is the same traffic.")
@click.option("--shards", default=4, show_default=True, type=click.IntRange(1, 100))
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535), help="The page's.")
@click.option("--state", type=click.Path(file_okay=False), metavar="DIR", help="Keep what is stored here over a restart.")
@origin_option
def demo(
    seconds: float | None, rate: float, seed: int, shards: int, port: int, state: str | None, origins: tuple[str, ...]
) -> None:
    """Local AWS, workers, dashboard and load at once; with --seconds also the verification."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Stopped

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    kept = () if state is None else ("--state", state)
    platform = Platform(shards, port, *kept, *(text for origin in origins for text in ("--origin", origin)))
    try:
        code = _demonstrate(platform, seconds, rate, seed, port, from_env().local_dir / "demo-ledger.json")
    except Stopped:
        # asked to run for ever, being stopped is success
        code = 0 if seconds is None else 130
    except PartEnded:
        click.echo("demo: `clickstream up` ended; it has said why above", err=True)
        code = 1
    finally:
        # a second Ctrl-C must not leave anything behind
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        platform.stop()
    sys.exit(code)


if __name__ == "__main__":
    demo()
