"""The read model's answers as the JSON that ``/v1``, the page and ``clickstream query --json`` share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from consumers.analytics.views import NAME, ShardProgress, WindowView, complete_to


def aggregates_json(
    granularity: str, start_ms: int, end_ms: int, windows: Sequence[WindowView], complete_to_ms: int | None
) -> dict[str, Any]:
    """An answer about a stretch of time."""
    return {
        "granularity": granularity,
        "from": start_ms,
        "to": end_ms,
        "complete_to": complete_to_ms,
        "windows": [window_json(window, complete_to_ms) for window in windows],
    }


def window_json(window: WindowView, complete_to_ms: int | None) -> dict[str, Any]:
    """One window. ``bounds`` has the rankings that are not exact: any count in them may be up to so much higher."""
    return {
        "start": window.start_ms,
        "end": window.end_ms,
        "complete": complete_to_ms is not None and window.end_ms <= complete_to_ms,
        "events": sum(window.counts.values()),
        "counts": window.counts,
        "orders": window.orders,
        "revenue": window.revenue,
        "uniques": window.uniques,
        "funnel": window.funnel,
        **{name: top.entries for name, top in window.tops.items()},
        "bounds": {name: top.bound for name, top in window.tops.items() if not top.exact},
    }


def analytics_complete_to(progress: Sequence[ShardProgress]) -> int | None:
    """The event time up to which windows are complete, out of the progress of all applications."""
    return complete_to(row for row in progress if row.application == NAME)


def progress_json(row: ShardProgress, now_ms: int) -> dict[str, Any]:
    """One application on one shard; times in ms, ``age_ms`` since its last word."""
    return {
        "application": row.application,
        "shard": row.shard,
        "owner": row.owner,
        "position": row.position,
        "ended": row.ended,
        "lag_ms": row.behind_ms,
        "watermark": row.watermark_ms or None,
        "updated_at": row.updated_at,
        "age_ms": max(0, now_ms - row.updated_at),
        "events": row.events,
        "duplicates": row.duplicates,
        "dead_letters": row.dead_letters,
        "foreign": row.foreign,
    }
