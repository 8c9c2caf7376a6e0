"""From a click to a changed recommendation, seen from outside: ``python -m load.benchmarks.recommend_freshness``.

Generated traffic runs through a site; probes, each a visitor nobody has seen, put one product view on the stream and ask the
API until it has an offer of their own. The time counts from the moment that the view was to be put.
"""

from __future__ import annotations

import tempfile
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import click
import msgspec
import numpy as np

from clickstream.events import ProductView
from load.benchmarks.recommend_site import Api, Site, running
from load.verdict import progress
from producers.publisher.kinesis import KinesisPublisher

_PROBES_PER_S = 4.0
#: The API is asked this often (s): the measured times are late by half of it in the mean.
_ASK_EVERY_S = 0.04
_GIVE_UP_S = 60.0
_SETTLE_S = 5.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """``probes``: put to seen through the API. ``told``: put to written, as the worker's sampled histogram has it. In ms."""

    rate: float
    events: int
    probes: int
    probes_p50: float
    probes_p99: float
    told_p50: float
    told_p99: float
    hit_rate: float | None
    popular_hit_rate: float | None
    """Of the shown and the popular items, live, as the application itself counts."""


def measure(site: Site, rate: float, seconds: float) -> Outcome:
    waits: list[Future[float]] = []
    traffic = ["load", "run", "--rate", str(rate), "--duration", str(seconds), "--no-ledger", "--no-faults", "--json"]
    with KinesisPublisher(site.settings) as publisher, ThreadPoolExecutor(32) as threads:
        loading = threading.Thread(target=site.run, args=traffic)
        loading.start()
        begun = time.monotonic() + _SETTLE_S
        for n in range(round((seconds - _SETTLE_S) * _PROBES_PER_S)):
            intended = begun + n / _PROBES_PER_S
            time.sleep(max(0.0, intended - time.monotonic()))
            waits.append(threads.submit(_probe, site.port, publisher, f"probe-{n}", intended))
        spent = [1000 * wait.result() for wait in waits]
        loading.join()
    told = progress.latency(site.shards())
    hits = site.hit_rate()
    return Outcome(
        rate=rate,
        events=site.folded(),
        probes=len(spent),
        probes_p50=round(float(np.percentile(spent, 50))),
        probes_p99=round(float(np.percentile(spent, 99))),
        told_p50=told.get_value_at_percentile(50),
        told_p99=told.get_value_at_percentile(99),
        hit_rate=round(hits.hits / hits.clicks, 4) if hits.clicks else None,
        popular_hit_rate=round(hits.popular_hits / hits.clicks, 4) if hits.clicks else None,
    )


def _probe(port: int, publisher: KinesisPublisher, visitor: str, intended: float) -> float:
    """Seconds until the API's answer is the visitor's own."""
    at_ms = time.time_ns() // 1_000_000
    publisher.put(
        ProductView(event_id=visitor, user_id=visitor, session_id=visitor, occurred_at=at_ms, product_id="p00001"),
    )
    with closing(Api(port)) as api:
        while not api.of(visitor).personal:
            if time.monotonic() - intended > _GIVE_UP_S:
                raise RuntimeError(f"{visitor} has no offer after {_GIVE_UP_S:g} s")
            time.sleep(_ASK_EVERY_S)
    return time.monotonic() - intended


@click.command()
@click.option("--rate", default=2_000.0, show_default=True, help="Events per second beside the probes.")
@click.option("--seconds", default=60.0, show_default=True)
@click.option("--shards", default=4, show_default=True)
def main(rate: float, seconds: float, shards: int) -> None:
    """Print one JSON object."""
    with tempfile.TemporaryDirectory(prefix="clickstream-recommend-") as folder, running(Path(folder), shards=shards) as site:
        site.worker()
        site.serve()
        click.echo(msgspec.json.encode(measure(site, rate, seconds)))


if __name__ == "__main__":
    main()
