"""A shard's metrics for CloudWatch: one line in the log per minute, made of what its commits say anyway."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from hdrh.histogram import HdrHistogram

from clickstream.consumers.runtime.state.snapshots import Commit, Lease, Progress, Store
from clickstream.progress.completeness import Arrival
from clickstream.telemetry import emf
from clickstream.telemetry.emf import Values
from clickstream.telemetry.metrics import SHARD_COUNTERS, MetricName

#: CloudWatch keeps one-minute data points.
EVERY_S = 60.0


class TellingStore:
    """A store that also writes a line to ``out``, at most one a minute; see :class:`consumers.runtime.state.snapshots.Store`.

    The counters' lines hold what was added since the line before. What a restored shard had folded before its first commit here
    was told by its owner before.
    """

    def __init__(
        self, store: Store, application: str, out: Callable[[str], Any], monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._application = application
        self._out = out
        self.look = store.look
        self.read = store.read
        self.forget = store.forget
        self.stumbled = store.stumbled
        self._monotonic_s = monotonic_s
        self._told_at: float | None = None
        self._told: Progress | None = None
        self._shard_id = ""
        self._told_latencies: dict[float, int] = {}

    def take(self, shard_id: str, now_ms: int, hash_range: str = "") -> Lease:
        self._shard_id = shard_id
        return self._store.take(shard_id, now_ms, hash_range)

    def commit(self, lease: Lease, commit: Commit, now_ms: int) -> None:
        fresh = lease.position is None
        self._store.commit(lease, commit, now_ms)
        if self._told is None:
            self._told = Progress() if fresh else commit.progress
        if self._is_due() or commit.ended:
            self._tell(lease.shard_id, commit, now_ms)

    def heartbeat(self, lease: Lease, behind_ms: int, arrival: Arrival, now_ms: int) -> None:
        self._store.heartbeat(lease, behind_ms, arrival, now_ms)
        if self._is_due():
            self._told_at = self._monotonic_s()
            self._line(lease.shard_id, {"clickstream_behind_seconds": behind_ms / 1000}, {}, now_ms)

    def waits(self, waiting: Mapping[str, str | int]) -> None:
        """A shard that waits for a permission makes no commit that would tell of it; one alarm watches an application's."""
        facts = {"shard": self._shard_id, **waiting}
        now_ms = time.time_ns() // 1_000_000
        self._out(emf.line(now_ms, {"application": self._application}, {"clickstream_forbidden": 1.0}, facts) + "\n")

    def _is_due(self) -> bool:
        return self._told_at is None or self._monotonic_s() - self._told_at >= EVERY_S

    def _tell(self, shard_id: str, commit: Commit, now_ms: int) -> None:
        assert self._told is not None
        values: dict[MetricName, Values] = {
            metric: float(getattr(commit.progress, field) - getattr(self._told, field))
            for metric, field in SHARD_COUNTERS.items()
        }
        values["clickstream_behind_seconds"] = commit.behind_ms / 1000
        values["clickstream_watermark_age_seconds"] = max(0, now_ms - commit.progress.watermark_ms) / 1000
        latencies = _counts(commit.latency)
        added = {value: new for value, count in latencies.items() if (new := count - self._told_latencies.get(value, 0)) > 0}
        if added:
            values["clickstream_effect_latency_seconds"] = emf.thinned(added)
        self._told_at, self._told, self._told_latencies = self._monotonic_s(), commit.progress, latencies
        self._line(shard_id, values, {"position": str(commit.position)}, now_ms)

    def _line(self, shard_id: str, values: Mapping[MetricName, Values], facts: Mapping[str, Any], now_ms: int) -> None:
        dimensions = {"application": self._application, "shard": shard_id}
        self._out(emf.line(now_ms, dimensions, values, facts) + "\n")


def _counts(encoded: str) -> dict[float, int]:
    """A histogram of milliseconds as seconds → how often."""
    if not encoded:
        return {}
    histogram = HdrHistogram.decode(encoded)
    return {entry.value_iterated_to / 1000: entry.count_added_in_this_iter_step for entry in histogram.get_recorded_iterator()}
