"""Answers as CSV, for a spreadsheet. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from serving.api.answers import Aggregates, Progress
from serving.api.fraud import Alerts, Decided
from serving.moments import iso

#: A cell that begins so is a formula to a spreadsheet; names come from visitors.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """UTF-8 with the mark that spreadsheets look for; times as ISO 8601 are made by the callers."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(names)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return "\ufeff".encode() + out.getvalue().encode()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value


def aggregates(answer: Aggregates) -> bytes:
    """A row a window; a column a currency, in minor units."""
    currencies = sorted({code for window in answer.windows for code in window.revenue})
    names = ["start", "end", "complete", "events", "orders", "visitors", "visitors_low", "visitors_high"]
    names += ["viewed", "carted", "purchased", *(f"revenue_minor_{code}" for code in currencies)]
    return table(
        names,
        (
            [
                iso(each.start),
                iso(each.end),
                each.complete,
                each.events,
                each.orders,
                round(each.uniques.value),
                round(each.uniques.low),
                round(each.uniques.high),
                each.funnel.view,
                each.funnel.cart,
                each.funnel.purchase,
                *(each.revenue.get(code, 0) for code in currencies),
            ]
            for each in answer.windows
        ),
    )


def progress(answer: Progress) -> bytes:
    names = ["application", "shard", "owner", "position", "ended", "lag_ms", "lag_events", "per_second", "checkpoint_age_ms"]
    names += ["events", "duplicates", "dead_letters", "foreign"]
    return table(names, ([getattr(row, name) for name in names] for row in answer.progress))


def decided(answer: Decided) -> bytes:
    return table(
        ["minute", "approve", "review", "block"],
        ([iso(each.start), each.approve, each.review, each.block] for each in answer.minutes),
    )


def alerts(answer: Alerts) -> bytes:
    names = ["event_id", "order_id", "verdict", "score", "amount", "currency", "source", "model_version"]
    return table(
        ["decided_at", *names, "reasons"],
        (
            [
                iso(each.decided_at),
                *(getattr(each, name) for name in names),
                "; ".join(f"{why.feature} {why.effect:+.2f}" for why in each.reasons),
            ]
            for each in answer.alerts
        ),
    )
