"""``low-traffic``: what an event costs that comes alone, one every 100 ms in a shard, by the default and as a KPL record."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable

import msgspec

from clickstream import events
from clickstream.infra.local.processes import Process
from clickstream.load.benchmarks.harness.measure import Benchmark, Reading
from clickstream.load.benchmarks.harness.sample import shop_events
from clickstream.load.benchmarks.publishing.read_back import read_all
from clickstream.load.benchmarks.rig.site import Site, wait
from clickstream.load.benchmarks.rig.usage import cpu_seconds, descendants
from clickstream.producers.publisher.kinesis import KinesisPublisher
from clickstream.producers.publisher.puts import Settled
from clickstream.settings import Settings

_APPLICATION = "analytics"
_EVERY_S = 0.1
_EVENTS = 60
_START_S = 60.0
#: A record of one event is its JSON and nothing else.
_MOST_BYTES = 1.01 * statistics.mean(len(events.encode(event)) for event in shop_events(1_000, rate=1 / _EVERY_S))


def benchmark(count: int = _EVENTS) -> Benchmark:
    site, peer_site = Site(shards=1), Site(shards=1)
    ours = Trickle(site, site.settings, count)
    peer = Trickle(peer_site, msgspec.structs.replace(peer_site.settings, records="kpl"), count)

    def close() -> None:
        peer_site.close()
        site.close()

    return Benchmark(
        id="low-traffic",
        what=f"CPU time for an event, publisher and worker ({_APPLICATION}) together, one every {1000 * _EVERY_S:.0f} ms",
        unit="CPU ms/event",
        aim=f"≥ 0.9: no worse but for noise; ≤ {_MOST_BYTES:.0f} bytes, visible p50 ≤ 500 ms",
        least=0.9,
        within={"ours bytes per event": (0, _MOST_BYTES), "ours visible p50 ms": (0, 500)},
        better="less",
        peer_name="the same with CLICKSTREAM_RECORDS=kpl",
        fairness=f"The same code, {count} events in {count * _EVERY_S:.0f} s, each side with an embedded AWS and a worker "
        "of its own. Almost all of the CPU time is the worker's polling, heartbeats and commits, which are there without "
        "events too. Bytes are those of the records in Kinesis, which counts a record as 25 KB at least. Confirmed: from the "
        "put until Kinesis has the event, the publisher's linger of 100 ms included; visible: from its arrival in Kinesis "
        "until its effect is in DynamoDB.",
        clock="CPU",
        ours=ours.run,
        peer=peer.run,
        rounds=3,
        close=close,
    )


class Trickle:
    """A worker and a publisher for all rounds."""

    def __init__(self, site: Site, settings: Settings, count: int) -> None:
        self._site = site
        self._settings = settings
        self._count = count
        self._runs = itertools.count(1)
        self._worker: Process = site.start_worker(_APPLICATION)
        wait(lambda: any(site.committed(_APPLICATION, "epoch").values()), "the lease", _START_S)

    def run(self) -> Reading:
        sample = shop_events(self._count, rate=1 / _EVERY_S, seed=next(self._runs))
        seen, size, had = self._site.latencies(_APPLICATION), self._size(), self._folded()
        confirmed: list[float] = []
        with KinesisPublisher(self._settings) as publisher:
            pids = list(descendants(self._worker.pid))
            cpu, own, began = cpu_seconds(pids), time.process_time(), time.monotonic()
            for number, event in enumerate(sample):
                time.sleep(max(0.0, began + number * _EVERY_S - time.monotonic()))
                publisher.put(event, _taking_the_time(confirmed))
            publisher.flush()
            time.sleep(max(0.0, began + self._count * _EVERY_S - time.monotonic()))
            spent = cpu_seconds(pids) - cpu + time.process_time() - own
        wait(lambda: self._folded() - had >= self._count, "the last effects", _START_S)
        waits = self._site.latencies(_APPLICATION) - seen
        return Reading(
            1e3 * spent / self._count,
            {
                "bytes per event": (self._size() - size) / self._count,
                "confirmed p50 ms": 1e3 * statistics.median(confirmed),
                "visible p50 ms": statistics.median(waits.elements()),
            },
        )

    def _size(self) -> int:
        return sum(len(record.data) for record in read_all(self._site.clients.kinesis, self._settings.stream))

    def _folded(self) -> int:
        return sum(self._site.committed(_APPLICATION, "events").values())


def _taking_the_time(seconds: list[float]) -> Callable[[Settled], None]:
    put = time.monotonic()
    return lambda _: seconds.append(time.monotonic() - put)
