"""``footprint``: what a further shard costs its worker in memory, and how soon its process answers."""

from __future__ import annotations

import base64
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clickstream import events
from clickstream.consumers.runtime.worker.daemon import forked
from clickstream.infra.local.processes import Process
from clickstream.load.benchmarks.harness.measure import Benchmark, Reading
from clickstream.load.benchmarks.rig.feed import event
from clickstream.load.benchmarks.rig.site import Site, wait
from clickstream.load.benchmarks.rig.usage import descendants, pss_mb
from clickstream.records.kinesis import list_shards
from clickstream.records.routing import Shard, hash_key
from clickstream.settings import environment

_APPLICATION = "analytics"
_SHARDS = 6
#: So many events are folded before the memory is taken: what a fork has written to is no longer shared.
_EVENTS = 2_000
_START_S = 60.0
_ZYGOTE = f"""
import os, pathlib, sys
from clickstream.consumers.runtime.worker import daemon, forks
forks.end_with_parent()
sys.exit(daemon.forked({_APPLICATION!r}, pathlib.Path(sys.argv[1])).companion(os.environ))
"""


def benchmark() -> Benchmark:
    site = Site(shards=_SHARDS)
    shards = [shard for shard in list_shards(site.clients.kinesis, site.settings.stream) if shard.is_open]
    return Benchmark(
        id="footprint",
        what=f"memory of each further shard process (proportional set size) after {_EVENTS:,} events, of {_SHARDS} shards",
        unit="MB",
        aim="≤ 25 MB, ≤ 150 ms",
        within={"ours MB": (0, 25), "ours start ms": (0, 150)},
        better="less",
        peer_name="a child of amazon_kclpy 3.1.3 that imports the same libraries and builds the same clients",
        fairness="What all processes hold with all shards less what they hold with one, by the number of further shards; the "
        "zygote and the waiting shells are counted. Start: from the process's start to its answer to initialize, in the mean "
        "of the further ones; ours takes its epoch and restores its state in that time, and folds and commits afterwards, the "
        "peer only parses.",
        clock="wall",
        ours=lambda: _forks(site, shards),
        peer=lambda: _children(site, shards),
        rounds=3,
        warm_up=False,
        close=site.close,
    )


class ShardProcess:
    """One shard's process, asked as the daemon would."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], shard: str, log: Path) -> None:
        began = time.monotonic()
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                command, env=dict(env), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
        self._ask({"action": "initialize", "shardId": shard, "sequenceNumber": "TRIM_HORIZON", "subSequenceNumber": 0})
        self.start_s = time.monotonic() - began

    @property
    def pid(self) -> int:
        return self._process.pid

    def process(self, records: Sequence[Mapping[str, Any]]) -> None:
        self._ask({"action": "processRecords", "records": records, "millisBehindLatest": 0})

    def close(self) -> None:
        """As when the daemon ends."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def _ask(self, message: Mapping[str, Any]) -> None:
        """One request, answered by a status."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if not line.isspace():
                assert json.loads(line)["action"] == "status", line
                return
        raise EOFError(f"the shard's process {self._process.pid} ended")


def _forks(site: Site, shards: Sequence[Shard]) -> Reading:
    directory = site.folder / "zygote"
    directory.mkdir(exist_ok=True)
    if not (requests := directory / "requests").exists():
        os.mkfifo(requests, 0o600)
    (directory / "ready").unlink(missing_ok=True)
    zygote = site.start("zygote", [sys.executable, "-c", _ZYGOTE, str(directory)])
    wait((directory / "ready").exists, "the zygote", _START_S)
    reading = _measure(site, forked(_APPLICATION, directory).command, shards, [zygote])
    site.children.stop(time.monotonic() + _START_S)
    return reading


def _children(site: Site, shards: Sequence[Shard]) -> Reading:
    return _measure(
        site, [sys.executable, "-m", "clickstream.load.benchmarks.workers.footprint_peer", _APPLICATION], shards, []
    )


def _measure(site: Site, command: Sequence[str], shards: Sequence[Shard], companions: Sequence[Process]) -> Reading:
    env = environment(site.settings)
    running: list[ShardProcess] = []

    def more(shard: Shard) -> None:
        running.append(ShardProcess(command, env, shard.shard_id, site.folder / "shards.log"))
        running[-1].process(_records(shard))

    def held() -> float:
        roots = [*(process.pid for process in companions), *(process.pid for process in running)]
        return sum(pss_mb(pid) for root in roots for pid in descendants(root))

    try:
        more(shards[0])
        with_one = held()
        for shard in shards[1:]:
            more(shard)
        further = (held() - with_one) / (len(shards) - 1)
        start_ms = 1000 * statistics.mean(process.start_s for process in running[1:])
    finally:
        for process in running:
            process.close()
    return Reading(further, {"MB": further, "start ms": start_ms, "MB with one shard": with_one})


def _records(shard: Shard) -> list[dict[str, Any]]:
    """Of users who are at home in this shard, and later than those of an earlier round."""
    users = [user for user in range(10_000) if hash_key(f"user-{user:06d}") in shard.hash_range]
    began = time.time_ns()
    records = []
    for number in range(_EVENTS):
        made = event(f"{began:x}", number, users[number % 500])
        records.append(
            {
                "action": "record",
                "data": base64.b64encode(events.encode(made)).decode(),
                "partitionKey": made.user_id,
                "sequenceNumber": str(began + number),
                "subSequenceNumber": 0,
                "approximateArrivalTimestamp": made.occurred_at,
            }
        )
    return records
