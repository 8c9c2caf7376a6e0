"""``end-to-end``: events/s from the producer into three applications at once, all on this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from itertools import count

from clickstream.consumers.runtime.worker import leases
from clickstream.events import AnyEvent
from clickstream.infra.local.processes import Process
from clickstream.load.benchmarks.harness.measure import Benchmark, Reading, per_second
from clickstream.load.benchmarks.harness.sample import shop_events
from clickstream.load.benchmarks.rig import stock_worker
from clickstream.load.benchmarks.rig.drain import Spent, drain, folded, publish, put_plainly
from clickstream.load.benchmarks.rig.site import Site, wait
from clickstream.records.kinesis import list_shards

_APPLICATIONS = ("analytics", "fraud", "recommendations")
_SHARDS = 2
_WARM_UP = 100_000
_COUNTED = 300_000
_START_S = 120.0
#: The peer's, so that its start takes no two minutes: throughput is what is measured here. The reads are as often as ours.
_QUICK = {
    "failoverTimeMillis": "3000",
    "leaseAssignmentIntervalMillis": "1000",
    "workerMetricsReporterFreqInMillis": "1000",
    "shardSyncIntervalMillis": "1000",
    "idleTimeBetweenReadsInMillis": "250",
    "maxRecords": "10000",
}


def benchmark(warm_up: int = _WARM_UP, counted: int = _COUNTED, applications: int = len(_APPLICATIONS)) -> Benchmark:
    names = _APPLICATIONS[:applications]
    site, peer_site = Site(shards=_SHARDS), Site(shards=_SHARDS)
    ours, peer = Ours(site, names, (warm_up, counted)), Stock(peer_site, names, (warm_up, counted))

    def close() -> None:
        peer_site.close()
        site.close()

    return Benchmark(
        id="end-to-end",
        what=f"{counted:,} events put and folded by {', '.join(names)} at once, {_SHARDS} shards",
        unit="events/s",
        aim="≥ 4x, ≤ 30 CPU µs per event",
        least=4,
        within={"ours CPU µs per event": (0, 30)},
        peer_name="boto3 put_records, and the same folds in amazon_kclpy's loop",
        fairness="The same events of 345 bytes and folds, ours many to a compressed record, the peer's an event a record, each "
        f"side on an embedded AWS of its own (two servers, {len(names)} JVMs and their shard processes; the other side's "
        "stand idle meanwhile), Kinesis's limits not enforced. Effects are made and thrown away on both sides: the "
        "embedded DynamoDB would be all that is measured. The peer parses with json.loads, checks the fields as ours "
        "does, and checkpoints once a minute, as the sample does; it keeps no state, knows no duplicates and forgets in a "
        "crash what it folded. Ours commits its state to S3 and DynamoDB every second; done when the last commit is.",
        clock="wall",
        ours=ours.run,
        peer=peer.run,
        rounds=3,
        close=close,
    )


class Ours:
    """A worker of ours for each application, for all rounds."""

    def __init__(self, site: Site, names: Sequence[str], sizes: tuple[int, int]) -> None:
        self._site = site
        self._names = names
        self._sizes = sizes
        self._runs = count(1)
        self._put = 0
        self._workers = [
            site.start(application, [sys.executable, "-m", "clickstream.load.benchmarks.workers.sinkless", application])
            for application in names
        ]
        for application in names:
            owned = partial(site.committed, application, "epoch")
            wait(lambda owned=owned: len(owned()) == _SHARDS, application, _START_S)  # type: ignore[misc]  # bound at once

    def run(self) -> Reading:
        sample = _sample(next(self._runs), self._sizes)
        self._put += len(sample)
        spent = drain(
            lambda: publish(self._site.settings, sample),
            lambda: folded(self._site, self._names) >= self._put,
            {"servers'": self._site.servers, "Python": self._workers},
        )
        return _reading(spent, len(sample))


class Stock:
    """A worker for each as amazon_kclpy's users build them, for all rounds."""

    def __init__(self, site: Site, names: Sequence[str], sizes: tuple[int, int]) -> None:
        self._site = site
        self._names = names
        self._sizes = sizes
        self._runs = count(1)
        self._put = 0
        self._folders = {application: site.folder / f"stock-{application}" for application in names}
        shards = list_shards(site.clients.kinesis, site.settings.stream)
        self._workers: list[Process] = []
        for application, folder in self._folders.items():
            folder.mkdir()
            name = f"stock-{application}"
            # seeded as ours are, or the first record would come minutes later
            leases.prepare(name, "1", shards, site.clients)
            child = ["-m", "clickstream.load.benchmarks.workers.end_to_end_peer", application, str(folder)]
            self._workers.append(stock_worker.start(site, name, "1", child, _QUICK))

    def run(self) -> Reading:
        sample = _sample(next(self._runs), self._sizes)
        self._put += len(sample)
        spent = drain(
            lambda: put_plainly(self._site.clients.kinesis, self._site.settings.stream, sample),
            lambda: min(sum(stock_worker.reported(folder).values()) for folder in self._folders.values()) >= self._put,
            {"servers'": self._site.servers, "Python": self._workers},
        )
        return _reading(spent, len(sample))


def _sample(run: int, sizes: tuple[int, int]) -> Sequence[AnyEvent]:
    """The first run warms both sides up, and is not counted."""
    return shop_events(sizes[run > 1], seed=run)


def _reading(spent: Spent, events: int) -> Reading:
    extra = {"CPU µs per event": 1e6 * spent.cpu_s / events, **spent.per_event(events)}
    return Reading(per_second(events, spent.wall_s), extra)
