"""Every application on every shard, read once for whoever asks within a moment, with speeds from what was read before."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import msgspec

from clickstream.completeness import Completeness
from consumers.analytics.views import NAME, ShardProgress, completeness
from serving.read_model import ReadModel
from serving.speeds import Meter, Rate, Speed

#: A reading is shared for so long; less than the pages' period, or they would see a change one period late.
SHARED_MS = 250


class FleetView(msgspec.Struct, frozen=True, kw_only=True):
    """What was read at ``read_at`` (ms). ``rate``: (ms, events per second) of analytics over the last minutes."""

    read_at: int
    rows: Sequence[ShardProgress]
    speeds: dict[tuple[str, str], Speed]
    rate: list[tuple[int, float]]
    completeness: Completeness = completeness(())

    @property
    def updated_at(self) -> int | None:
        """When any worker said something last."""
        return max((row.updated_at for row in self.rows), default=None)

    @property
    def newest_event(self) -> int | None:
        """The latest event time that analytics has seen."""
        return max((row.watermark_ms for row in self.rows if row.application == NAME and row.watermark_ms), default=None)


class Fleet:
    """Thread-safe; readers that come together wait for one reading. Raises what the read model raises."""

    def __init__(self, views: ReadModel) -> None:
        self._views = views
        self._meters: dict[tuple[str, str], Meter] = {}
        self._rate = Rate()
        self._lock = threading.Lock()
        self._newest: FleetView | None = None

    def read(self, now_ms: int) -> FleetView:
        with self._lock:
            if self._newest is None or not 0 <= now_ms - self._newest.read_at < SHARED_MS:
                self._newest = self._view(self._views.progress(), now_ms)
            return self._newest

    def newest(self) -> FleetView:
        """What was read last; an empty view before the first reading."""
        return self._newest or FleetView(read_at=0, rows=(), speeds={}, rate=[])

    def _view(self, rows: Sequence[ShardProgress], now_ms: int) -> FleetView:
        speeds = {}
        for row in rows:
            key = row.application, row.shard
            meter = self._meters.setdefault(key, Meter())
            done = row.events + row.duplicates + row.dead_letters + row.foreign
            meter.add(now_ms, done, row.arrived_ms)
            speeds[key] = Speed(meter.per_second(), meter.waiting(row.behind_ms))
        if ours := [row for row in rows if row.application == NAME]:
            self._rate.add(now_ms, sum(row.events for row in ours))
        return FleetView(read_at=now_ms, rows=rows, speeds=speeds, rate=self._rate.points(), completeness=completeness(rows))
