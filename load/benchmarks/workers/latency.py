"""``latency``: from the put of an event to its visible effect, at half of a shard's limit, against polling alone."""

from __future__ import annotations

import statistics
import time
from collections import Counter

from clickstream.load.benchmarks.harness.measure import Benchmark, Reading
from clickstream.load.benchmarks.rig.feed import Feed
from clickstream.load.benchmarks.rig.site import Site, now_ms, wait

_APPLICATION = "analytics"
_POLL_S = 0.25
#: Of some 260 bytes each with their key: half of the 1 MB/s that a shard takes.
_RATE = 2_000.0
_COUNTED_S = 8.0
_START_S = 60.0


def benchmark(counted_s: float = _COUNTED_S) -> Benchmark:
    site = Site(shards=1)
    running = Running(site, counted_s)
    return Benchmark(
        id="latency",
        what=f"arrival in Kinesis to visible effect of analytics, p50, one shard at half load ({_RATE:,.0f} events/s)",
        unit="ms",
        aim="p50 ≤ 500 ms, p99 ≤ 1.5 s",
        within={"ours p50 ms": (0, 500), "ours p99 ms": (0, 1_500)},
        better="less",
        peer_name="the wait that polling every 250 ms costs by itself",
        fairness="Ours: by the shard's own histogram, from Kinesis's time of arrival until the rows of analytics are in "
        "DynamoDB, through the whole worker, which polls every 250 ms. The peer: boto3's GetRecords every 250 ms, the events "
        "thrown away. The publisher's linger (at most 100 ms) comes before either.",
        clock="wall",
        ours=running.effects,
        peer=lambda: _polling(site, counted_s),
        rounds=3,
        close=site.close,
    )


class Running:
    """One worker for all rounds, caught up before each."""

    def __init__(self, site: Site, counted_s: float) -> None:
        self._site = site
        self._counted_s = counted_s
        site.start_worker(_APPLICATION)
        wait(lambda: bool(site.committed(_APPLICATION, "epoch")), "the lease", _START_S)
        # what a worker does for the first time is no part of its latency
        with Feed(site.settings, rate=1 / _POLL_S) as feed:
            wait(lambda: self._events() > 0, "the first effects", _START_S)
            sent = feed.stop()
        wait(lambda: self._events() >= sent, "the last of them", _START_S)

    def effects(self) -> Reading:
        before = self._site.latencies(_APPLICATION)
        had = self._events()
        with Feed(self._site.settings, rate=_RATE) as feed:
            time.sleep(self._counted_s)
            sent = feed.stop()
        wait(lambda: self._events() - had >= sent, "the last effects", _START_S)
        return _reading(self._site.latencies(_APPLICATION) - before)

    def _events(self) -> int:
        return sum(self._site.committed(_APPLICATION, "events").values())


def _polling(site: Site, counted_s: float) -> Reading:
    kinesis, stream = site.clients.kinesis, site.settings.stream
    (shard,) = site.open_shards()
    waits: Counter[int] = Counter()
    with Feed(site.settings, rate=_RATE):
        iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType="LATEST")["ShardIterator"]
        until = time.monotonic() + counted_s
        while time.monotonic() < until:
            answer = kinesis.get_records(ShardIterator=iterator, Limit=10_000)
            iterator = answer["NextShardIterator"]
            came = now_ms()
            for record in answer["Records"]:
                waits[max(0, came - int(record["ApproximateArrivalTimestamp"].timestamp() * 1000))] += 1
            time.sleep(_POLL_S)
    return _reading(waits)


def _reading(waits: Counter[int]) -> Reading:
    cuts = statistics.quantiles(waits.elements(), n=100, method="inclusive")
    return Reading(cuts[49], {"p50 ms": cuts[49], "p99 ms": cuts[98]})
