"""The lines that a shard logs for CloudWatch."""

from __future__ import annotations

import json
from typing import Any

from hdrh.histogram import HdrHistogram

from clickstream.consumers.runtime.faults.stumbling import Stumble
from clickstream.consumers.runtime.progress.metric_lines import EVERY_S, TellingStore
from clickstream.consumers.runtime.state.snapshots import Commit, Lease, Progress
from clickstream.progress.completeness import Arrival
from clickstream.records.position import Position

T = 1_790_000_000_000


class Store:
    """Commits anything."""

    def take(self, shard_id: str, now_ms: int, hash_range: str = "") -> Lease:
        return Lease(shard_id=shard_id, epoch=1)

    def look(self, shard_id: str) -> Lease | None:
        return None

    def read(self, lease: Lease) -> list[bytes]:
        return []

    def commit(self, lease: Lease, commit: Commit, now_ms: int) -> None:
        lease.position = commit.position

    def heartbeat(self, lease: Lease, behind_ms: int, arrival: Arrival, now_ms: int) -> None: ...

    def forget(self, shard_id: str) -> None: ...

    def stumbled(self, lease: Lease, stumble: Stumble) -> None: ...


def _commit(events: int, milliseconds: list[int], *, ended: bool = False) -> Commit:
    latencies = HdrHistogram(1, 3_600_000, 2)
    for value in milliseconds:
        latencies.record_value(value)
    return Commit(
        position=Position(events),
        state=b"",
        full=False,
        progress=Progress(events=events, watermark_ms=T),
        behind_ms=250,
        latency=latencies.encode().decode() if milliseconds else "",
        ended=ended,
    )


def _told(lines: list[str]) -> list[dict[str, Any]]:
    assert all(line.endswith("\n") for line in lines)
    return [json.loads(line) for line in lines]


def test_a_line_a_minute_tells_what_was_added_since_the_last() -> None:
    lines: list[str] = []
    clock = [0.0]
    store = TellingStore(Store(), "fraud", lines.append, lambda: clock[0])
    lease = store.take("shard-1", T)
    store.commit(lease, _commit(10, [100]), T)
    clock[0] = EVERY_S - 0.1
    # the machine's clock goes as it likes
    store.commit(lease, _commit(25, [100, 100]), T + 3_600_000)
    clock[0] = EVERY_S
    store.commit(lease, _commit(30, [100, 100, 400]), T + 60_000)
    first, second = _told(lines)
    assert (first["Events"], second["Events"]) == (10, 20)
    assert first["EffectLatency"] == [0.1]
    assert [round(value, 1) for value in second["EffectLatency"]] == [0.1, 0.4]
    assert (second["Behind"], second["WatermarkAge"], second["shard"]) == (0.25, 60, "shard-1")


def test_what_an_owner_before_has_told_is_not_told_again() -> None:
    lines: list[str] = []
    clock = [0.0]
    store = TellingStore(Store(), "fraud", lines.append, lambda: clock[0])
    lease = Lease(shard_id="shard-1", epoch=2, position=Position(1_000))
    store.commit(lease, _commit(1_010, []), T)
    clock[0] = EVERY_S
    store.commit(lease, _commit(1_025, []), T)
    assert [line["Events"] for line in _told(lines)] == [0, 15]


def test_a_quiet_shard_tells_its_lag_and_a_shard_that_ends_tells_the_rest() -> None:
    lines: list[str] = []
    store = TellingStore(Store(), "fraud", lines.append)
    lease = store.take("shard-1", T)
    store.heartbeat(lease, 0, Arrival(), T)
    store.commit(lease, _commit(5, [], ended=True), T + 1)
    quiet, last = _told(lines)
    assert (quiet["Behind"], "Events" in quiet) == (0, False)
    assert last["Events"] == 5


def test_a_shard_that_waits_for_a_permission_says_so_though_it_commits_nothing() -> None:
    lines: list[str] = []
    store = TellingStore(Store(), "fraud", lines.append)
    store.take("shard-1", T)
    store.waits({"action": "dynamodb:PutItem", "resource": "arn:table", "since": T})
    [line] = _told(lines)
    assert (line["Forbidden"], line["action"], line["shard"]) == (1, "dynamodb:PutItem", "shard-1")
