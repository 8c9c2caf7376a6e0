"""``java``: what an event costs a whole worker of ours, state durable, beside a KCL worker in Java that keeps nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

import msgspec

from clickstream.consumers.runtime.worker import java, leases
from clickstream.infra.local.processes import Process
from clickstream.load.benchmarks.harness.measure import Benchmark, Reading, per_second
from clickstream.load.benchmarks.harness.sample import shop_events
from clickstream.load.benchmarks.rig import jars
from clickstream.load.benchmarks.rig.drain import drain, folded, publish
from clickstream.load.benchmarks.rig.site import Site, wait
from clickstream.load.benchmarks.rig.stock_worker import reported
from clickstream.load.benchmarks.rig.usage import descendants, pss_mb
from clickstream.records.kinesis import list_shards
from clickstream.settings import Settings

_HERE = Path(__file__).parent
_APPLICATION = "analytics"
#: Enough that Java's second compiler is done with the first.
_WARM_UP = 150_000
_COUNTED = 200_000
_START_S = 120.0


def benchmark(warm_up: int = _WARM_UP, counted: int = _COUNTED) -> Benchmark:
    scratch = tempfile.TemporaryDirectory(prefix="clickstream-java-")
    classes = jars.compiled([_HERE / "Shop.java", _HERE / "KclWorker.java"], jars.KCL_JARS, Path(scratch.name))
    sizes = (warm_up, counted)
    site, peer_site = Site(shards=1), Site(shards=1)
    ours, peer = Ours(site, sizes), Kcl(peer_site, classes, sizes)

    def close() -> None:
        peer_site.close()
        site.close()
        scratch.cleanup()

    return Benchmark(
        id="java",
        what=f"CPU time of a worker for an event: {counted:,} of 345 bytes in one shard into {_APPLICATION}' answers",
        unit="CPU µs/event",
        aim="≥ 1: no dearer than Java",
        least=1,
        better="less",
        peer_name="KCL 3.1.3 in Java: KPL records, Jackson, a fold in memory",
        fairness="The same events, put by our publisher: many to a compressed record for ours, as KPL aggregates for the peer, "
        "which KCL takes apart. Each worker has an embedded AWS of its own with one shard and polls every 250 ms, its JVM with "
        "the serial collector and 1 GB of heap at most, Java's with both compilers. Counted is the CPU time of all of a "
        "worker's processes from the first put until every event is folded. Ours is `clickstream worker analytics` as it is: "
        "home check, duplicates, sessions, funnels, hours, answers in DynamoDB five times a second, state in S3 and DynamoDB "
        "every second; done when the last is committed. The peer checks an event's fields and counts, by minute, types, "
        "products, revenue and visitors in a HashSet; it checkpoints once a second, but keeps no state, knows no duplicates, "
        "shows no answers and has lost its counts after a crash.",
        clock="CPU",
        ours=ours.run,
        peer=peer.run,
        rounds=3,
        close=close,
    )


class _Side:
    """A worker for all rounds: the first warms it up, and is not counted."""

    def __init__(
        self, site: Site, settings: Settings, worker: Process, done: Callable[[], int], sizes: tuple[int, int]
    ) -> None:
        self._site = site
        self._settings = settings
        self._worker = worker
        self._done = done
        self._sizes = sizes
        self._runs = count(1)
        self._put = 0

    def run(self) -> Reading:
        run = next(self._runs)
        sample = shop_events(self._sizes[run > 1], seed=run)
        self._put += len(sample)
        spent = drain(lambda: publish(self._settings, sample), lambda: self._done() >= self._put, {"Python": [self._worker]})
        extra = {
            **spent.per_event(len(sample)),
            "events/s": per_second(len(sample), spent.wall_s),
            "MB (PSS)": sum(pss_mb(pid) for pid in descendants(self._worker.pid)),
        }
        return Reading(1e6 * spent.cpu_s / len(sample), extra)


class Ours(_Side):
    """``clickstream worker analytics``."""

    def __init__(self, site: Site, sizes: tuple[int, int]) -> None:
        worker = site.start_worker(_APPLICATION)
        wait(lambda: any(site.committed(_APPLICATION, "epoch").values()), "the lease", _START_S)
        super().__init__(site, site.settings, worker, lambda: folded(site, [_APPLICATION]), sizes)


class Kcl(_Side):
    """A KCL worker as a Java team writes it."""

    def __init__(self, site: Site, classes: str, sizes: tuple[int, int]) -> None:
        settings, name = site.settings, "kcl-java"
        folder = site.folder / name
        folder.mkdir()
        # seeded as ours are, or the first record would come minutes later
        leases.prepare(name, "1", list_shards(site.clients.kinesis, settings.stream), site.clients)
        flags = ["-Xms64m", "-Xmx1g", "-XX:+UseSerialGC", f"-Dlogback.configurationFile={jars.QUIET_LOGBACK}"]
        urls = [str(settings.endpoint(service)) for service in ("kinesis", "dynamodb")]
        arguments = [name, settings.stream, "1", *urls, str(folder)]
        worker = site.start(name, [str(java.find(settings)), *flags, "-cp", classes, "KclWorker", *arguments])
        wait(lambda: bool(reported(folder)), "the lease", _START_S)
        aggregated = msgspec.structs.replace(settings, records="kpl")
        super().__init__(site, aggregated, worker, lambda: sum(reported(folder).values()), sizes)
