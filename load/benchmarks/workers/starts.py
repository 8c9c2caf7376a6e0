"""``cold-start`` and ``takeover``: how long a shard stands still when a worker comes, and when one is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from itertools import cycle, islice
from pathlib import Path

from clickstream.infra.local.processes import Process
from clickstream.load.benchmarks.harness.measure import Benchmark, Reading
from clickstream.load.benchmarks.rig import stock_worker
from clickstream.load.benchmarks.rig.feed import Feed
from clickstream.load.benchmarks.rig.site import Site, now_ms, wait
from clickstream.load.benchmarks.rig.usage import cpu_seconds, descendants

_APPLICATION = "analytics"
_SHARDS = 4
#: A few events a second on every shard: enough to see that each moves.
_RATE = 200.0
_OURS_S = 60.0
_KILLS = 4
#: KCL's defaults were seen to take three minutes.
_PEER_S = 400.0
_PEER_NAME = "KCL 3.1.3's defaults, amazon_kclpy's sample"
_FAIRNESS = (
    "The same embedded AWS, {shards} shards, {rate:.0f} events/s, polling (KCL's own default, enhanced fan-out, is another "
    "price). The peer runs once, when asked for by --live-peers, since it takes minutes: its figure is the last such run."
)

Arrived = Callable[[], Mapping[str, int]]
"""Shard id → arrival time (ms, wall clock) of the last record that has taken effect."""


def cold_start() -> Benchmark:
    site = Site(shards=_SHARDS)
    return Benchmark(
        id="cold-start",
        what="seconds from a worker's start to its first record, no tables before",
        unit="s",
        aim="≤ 10 s",
        within={"ours s": (0, 10)},
        better="less",
        peer_name=_PEER_NAME,
        fairness=_FAIRNESS.format(shards=_SHARDS, rate=_RATE) + " Ours counts until a record's state is committed, the peer "
        "until its processor has it.",
        clock="wall",
        ours=lambda: _our_start(site),
        peer=_stock_start,
        warm_up=False,
        slow_peer=True,
        close=site.close,
    )


def takeover(kills: int = _KILLS) -> Benchmark:
    site = Site(shards=_SHARDS)
    pair = Pair(site, kills)
    return Benchmark(
        id="takeover",
        what="seconds from kill -9 of one of two workers until every shard moves again",
        unit="s",
        aim="≤ 15 s, 0 lost, 0 double",
        within={"ours slowest s": (0, 15), "ours lost": (0, 0), "ours double": (0, 0)},
        better="less",
        peer_name=_PEER_NAME + "; the worker that assigns the leases killed",
        fairness=_FAIRNESS.format(shards=_SHARDS, rate=_RATE) + " Ours: the launcher is killed, and with it its JVM and shard "
        "processes end; the first worker and the second in turn, each started again and both with shards before the next. The "
        "account is of events folded against events sent, after each.",
        clock="wall",
        ours=pair.take_over,
        peer=_stock_takeover,
        rounds=1,
        warm_up=False,
        slow_peer=True,
        close=site.close,
    )


def _our_start(site: Site) -> Reading:
    with Feed(site.settings, rate=_RATE):
        began = time.monotonic()
        worker = site.start_worker(_APPLICATION)
        arrived = _committed(site)
        wait(lambda: any(arrived().values()), "the first record", _OURS_S)
        first = time.monotonic() - began
        cpu = cpu_seconds(list(descendants(worker.pid)))
        wait(lambda: _all_have(site, arrived, 0), "all shards' first records", _OURS_S)
        every = time.monotonic() - began
    site.children.stop(time.monotonic() + _OURS_S)
    assert not worker.is_running()
    site.forget(_APPLICATION)
    return Reading(first, {"s": first, "all shards s": every, "CPU s": cpu})


def _stock_start() -> Reading:
    with closing(Site(shards=_SHARDS)) as site, Feed(site.settings, rate=_RATE):
        folder = site.folder / "stock-start"
        folder.mkdir()
        began = time.monotonic()
        stock_worker.start(site, "stock-start", "1", _sample(folder))
        wait(lambda: any(stock_worker.reported(folder).values()), "the peer's first record", _PEER_S)
        return Reading(time.monotonic() - began)


class Pair:
    """Two workers of ours, killed in turn."""

    def __init__(self, site: Site, kills: int) -> None:
        self._site = site
        self._kills = kills
        self._workers: dict[str, Process] = {}

    def take_over(self) -> Reading:
        site, arrived = self._site, _committed(self._site)
        with Feed(site.settings, rate=_RATE) as feed:
            spent = []
            for victim in islice(cycle(("1", "2")), self._kills):
                self._staff()
                _wait_until_moving(site, arrived, _OURS_S)
                spent.append(_kill(site, self._workers.pop(victim), arrived, _OURS_S))
            sent = feed.stop()
        folded = _settled(site, sent)
        slowest = max(spent)
        middle = sorted(spent)[len(spent) // 2]
        site.children.stop(time.monotonic() + _OURS_S)
        return Reading(middle, {"slowest s": slowest, "lost": max(0, sent - folded), "double": max(0, folded - sent)})

    def _staff(self) -> None:
        """Both workers run, and each has shards."""
        for name in ("1", "2"):
            if name not in self._workers:
                self._workers[name] = self._site.start_worker(_APPLICATION, name)
        wait(lambda: _owners(self._site, self._site.settings.application(_APPLICATION)) >= 2, "shards for both", _PEER_S)


def _stock_takeover() -> Reading:
    with closing(Site(shards=_SHARDS)) as site, Feed(site.settings, rate=_RATE):
        folder = site.folder / "stock-takeover"
        folder.mkdir()
        workers = {name: stock_worker.start(site, "stock-takeover", name, _sample(folder)) for name in ("1", "2")}
        wait(lambda: _owners(site, "stock-takeover") >= 2, "shards for both", 2 * _PEER_S)
        arrived = partial(stock_worker.reported, folder)
        _wait_until_moving(site, arrived, _PEER_S)
        return Reading(_kill(site, workers[_leader(site, "stock-takeover")], arrived, _PEER_S))


def _kill(site: Site, worker: Process, arrived: Arrived, timeout_s: float) -> float:
    """Seconds until every shard has a record that arrived after the kill."""
    killed, killed_ms = time.monotonic(), now_ms()
    os.kill(worker.pid, signal.SIGKILL)
    wait(lambda: _all_have(site, arrived, killed_ms), "takeover", timeout_s)
    return time.monotonic() - killed


def _wait_until_moving(site: Site, arrived: Arrived, timeout_s: float) -> None:
    since_ms = now_ms()
    wait(lambda: _all_have(site, arrived, since_ms), "movement before the kill", timeout_s)


def _committed(site: Site) -> Arrived:
    return lambda: site.committed(_APPLICATION, "arrived_ms")


def _all_have(site: Site, arrived: Arrived, since_ms: int) -> bool:
    now = arrived()
    return all(now.get(shard, 0) > since_ms for shard in site.open_shards())


def _owners(site: Site, application: str) -> int:
    """Workers that hold leases."""
    try:
        leases = site.clients.dynamodb.scan(TableName=application, ConsistentRead=True)["Items"]
    except site.clients.dynamodb.exceptions.ResourceNotFoundException:
        return 0  # KCL has not made its table yet
    return len({lease["leaseOwner"]["S"] for lease in leases if "leaseOwner" in lease})


def _leader(site: Site, application: str) -> str:
    """The worker that KCL 3 has chosen to assign leases."""
    items = site.clients.dynamodb.scan(TableName=f"{application}-CoordinatorState", ConsistentRead=True)["Items"]
    return next(item["ownerName"]["S"] for item in items if item["key"]["S"] == "Leader")


def _settled(site: Site, sent: int) -> int:
    """Events folded, once there are as many as were sent, or no more come."""
    folded, still_since = -1, time.monotonic()
    while time.monotonic() - still_since < 20.0:
        now = sum(site.committed(_APPLICATION, "events").values())
        if now != folded:
            folded, still_since = now, time.monotonic()
        elif now >= sent and time.monotonic() - still_since > 2.0:
            break
        time.sleep(0.1)
    return folded


def _sample(folder: Path) -> list[str]:
    return ["-m", "clickstream.load.benchmarks.workers.starts_peer", str(folder)]
