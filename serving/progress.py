"""Every application's progress on every shard, read once for all readers of a moment, with speeds from the readings before."""

import threading
from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from operator import attrgetter

import msgspec

from clickstream.consumers.analytics.views import NAME, Aggregates, ShardProgress, completeness
from clickstream.progress.completeness import Completeness
from clickstream.progress.completeness import completeness as completeness_of
from clickstream.serving.moments import Clock
from clickstream.serving.speeds import Meter, Rate, Speed
from clickstream.terminal import length

#: A reading is shared for so long; less than the pages' period, or they would see a change one period late.
SHARED_MS = 250
_application = attrgetter("application")


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What was read at ``read_at`` (ms). ``rate``: (ms, events per second) of analytics over the last minutes."""

    read_at: int
    ticks_ms: int
    """The same moment by the monotonic clock, for intervals."""
    rows: Sequence[ShardProgress]
    speeds: dict[tuple[str, str], Speed]
    rate: list[tuple[int, float]]
    completeness: Completeness

    def of(self, applications: Collection[str]) -> list[ShardProgress]:
        """The rows of these applications; of none: of all that are not retired."""
        return [row for row in self.rows if (row.application in applications if applications else not row.retired)]

    def complete_to(self, applications: Collection[str]) -> int | None:
        """Event time (ms) up to which the answers of all of them are complete."""
        told = [completeness_of(rows).complete_to for _, rows in groupby(self.of(applications), _application)]
        return min(told, key=lambda at: at or 0, default=None)

    @property
    def newest_event(self) -> int | None:
        """The latest event time that analytics has seen."""
        return max((row.watermark_ms for row in self.rows if row.application == NAME and row.watermark_ms), default=None)


def halted(rows: Iterable[ShardProgress], now_ms: int) -> dict[str, str]:
    """Applications with a shard that does not move → why. ``rows``: in order of applications."""
    found = {}
    for name, same in groupby((row for row in rows if row.is_read), _application):
        shards = list(same)
        silent_ms = max(row.silent_ms(now_ms) for row in shards)
        if any(row.waiting for row in shards):
            found[name] = "may not do its work"
        elif any(row.deaths > 1 for row in shards):
            found[name] = "has a worker that keeps dying"
        elif silent_ms:
            found[name] = f"has been silent for {length(silent_ms // 1000)}"
    return found


class ProgressReader:
    """Thread-safe; readers that come together wait for one reading. Raises what the read model raises."""

    def __init__(self, views: Aggregates, monotonic: Clock) -> None:
        self._views = views
        self._monotonic = monotonic
        self._meters: dict[tuple[str, str], Meter] = {}
        self._rate = Rate()
        self._lock = threading.Lock()
        self._newest: Reading | None = None

    def read(self, now_ms: int) -> Reading:
        with self._lock:
            ticks_ms = self._monotonic()
            if self._newest is None or ticks_ms - self._newest.ticks_ms >= SHARED_MS:
                self._newest = self._reading(self._views.progress(), now_ms, ticks_ms)
            return self._newest

    def _reading(self, rows: Sequence[ShardProgress], now_ms: int, ticks_ms: int) -> Reading:
        speeds = {}
        for row in rows:
            key = row.application, row.shard
            meter = self._meters.setdefault(key, Meter())
            meter.add(ticks_ms, row.events + row.duplicates + row.dead_letters + row.foreign, row.arrived_ms)
            speeds[key] = Speed(meter.per_second(), meter.waiting(row.lag_ms(now_ms)))
        if counted := [row.events for row in rows if row.application == NAME]:
            self._rate.count(ticks_ms, now_ms, sum(counted))
        return Reading(
            read_at=now_ms,
            ticks_ms=ticks_ms,
            rows=rows,
            speeds=speeds,
            rate=self._rate.points(),
            completeness=completeness(rows),
        )
