"""The read model's answers as what ``/v1``, the pages and ``clickstream query --json`` share. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

from consumers.analytics.views import ShardProgress, WindowView, put_to_visible
from serving.api.answers import Aggregates, Application, Shard, Window
from serving.api.periods import granularity as known_granularity
from serving.speeds import Speed


def aggregates_json(
    granularity: str, start_ms: int, end_ms: int, windows: Sequence[WindowView], complete_to_ms: int | None
) -> Aggregates:
    """An answer about a stretch of time."""
    return Aggregates(
        granularity=known_granularity(granularity),
        from_=start_ms,
        to=end_ms,
        complete_to=complete_to_ms,
        windows=[window_json(window, complete_to_ms) for window in windows],
    )


def is_complete(window: WindowView, complete_to_ms: int | None) -> bool:
    """``complete_to_ms``: for windows of its width."""
    return complete_to_ms is not None and window.end_ms <= complete_to_ms


def window_json(window: WindowView, complete_to_ms: int | None) -> Window:
    """One window. ``bounds`` has the rankings that are not exact: any count in them may be up to so much higher."""
    return Window(
        start=window.start_ms,
        end=window.end_ms,
        complete=is_complete(window, complete_to_ms),
        events=sum(window.counts.values()),
        counts=window.counts,
        orders=window.orders,
        revenue=window.revenue,
        uniques=window.uniques,
        funnel=window.funnel,
        bounds={name: top.bound for name, top in window.tops.items() if not top.exact},
        **{name: top.entries for name, top in window.tops.items()},
    )


def shard_json(row: ShardProgress, speed: Speed | None, now_ms: int) -> Shard:
    """One application on one shard, as seen at ``now_ms``."""
    return Shard(
        application=row.application,
        shard=row.shard,
        owner=row.owner,
        position=row.position,
        ended=row.ended,
        lag_ms=row.behind_ms,
        lag_events=None if speed is None else speed.waiting,
        per_second=None if speed is None else speed.per_second,
        watermark=row.watermark_ms or None,
        updated_at=row.updated_at,
        age_ms=max(0, now_ms - row.updated_at),
        checkpoint_age_ms=max(0, now_ms - row.committed_at) if row.committed_at else None,
        events=row.events,
        duplicates=row.duplicates,
        dead_letters=row.dead_letters,
        foreign=row.foreign,
        breakers=row.breakers,
        waiting=row.waiting,
        deaths=row.deaths,
    )


def applications_json(rows: Sequence[ShardProgress], speeds: Mapping[tuple[str, str], Speed]) -> list[Application]:
    """``rows`` in order of applications, each summed up over its shards."""
    return [_application(name, list(shards), speeds) for name, shards in groupby(rows, key=lambda row: row.application)]


def _application(name: str, rows: Sequence[ShardProgress], speeds: Mapping[tuple[str, str], Speed]) -> Application:
    moving = [row for row in rows if not row.ended]
    known = [speed for row in moving if (speed := speeds.get((name, row.shard))) is not None]
    rates = [speed.per_second for speed in known if speed.per_second is not None]
    waiting = [speed.waiting for speed in known if speed.waiting is not None]
    lags = [row.behind_ms for row in moving if row.behind_ms is not None]
    wait = put_to_visible(rows)
    return Application(
        application=name,
        shards=len(moving),
        ended=len(rows) - len(moving),
        events=sum(row.events for row in rows),
        per_second=round(sum(rates), 1) if rates else None,
        lag_ms=max(lags, default=None),
        lag_events=sum(waiting) if waiting else None,
        dead_letters=sum(row.dead_letters for row in rows),
        p50_ms=None if wait is None else wait.p50_ms,
        p99_ms=None if wait is None else wait.p99_ms,
    )
