"""The read model's answers as the JSON that the API, the page and ``clickstream query --json`` share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from serving.read_model import Granularity, Progress, Window


def window_json(window: Window, top: int) -> dict[str, Any]:
    """One window; top lists cut to ``top`` entries of [name, count]."""
    return {
        "start": window.start_ms,
        "end": window.end_ms,
        "events": sum(window.counts.values()),
        "counts": dict(window.counts),
        "revenue": dict(window.revenue),
        "uniques": {"value": window.uniques.value, "low": window.uniques.low, "high": window.uniques.high},
        "funnel": {"view": window.funnel.view, "cart": window.funnel.cart, "purchase": window.funnel.purchase},
        "products": [list(entry) for entry in window.products[:top]],
        "categories": [list(entry) for entry in window.categories[:top]],
        "searches": [list(entry) for entry in window.searches[:top]],
    }


def aggregates_json(
    kind: Granularity, start_ms: int, end_ms: int, windows: Sequence[Window], complete_to_ms: int | None, top: int
) -> dict[str, Any]:
    """An answer about a stretch of windows; what is before ``complete_to`` changes only by late events."""
    return {
        "granularity": kind,
        "from": start_ms,
        "to": end_ms,
        "complete_to": complete_to_ms,
        "windows": [window_json(window, top) for window in windows],
    }


def progress_json(row: Progress, now_ms: int) -> dict[str, Any]:
    """One application on one shard; times in ms, ``age_ms`` since its last commit."""
    return {
        "application": row.application,
        "shard": row.shard,
        "owner": row.owner,
        "position": row.position,
        "lag_ms": row.behind_ms,
        "watermark": row.watermark_ms if row.watermark_ms > 0 else None,
        "updated_at": row.updated_at,
        "age_ms": max(0, now_ms - row.updated_at),
        "events": row.events,
        "dead_letters": row.dead_letters,
        "duplicates": row.duplicates,
        "foreign": row.foreign,
        "ended": row.ended,
    }
