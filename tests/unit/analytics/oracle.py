"""The aggregates of some events by pandas, from their documentation alone: shares no code with what it checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pandas as pd

from clickstream.events import AnyEvent, encode

WIDTH = {"minute": "min", "hour": "h", "day": "D"}
STAGE = {"product_view": 1, "add_to_cart": 2, "purchase": 3}


@dataclass
class Truth:
    """One window. Rankings hold every key, by count descending, then key."""

    events: dict[str, int]
    revenue: dict[str, int]
    users: int
    funnel: tuple[int, int, int] = (0, 0, 0)
    tops: dict[str, list[tuple[str, int]]] = field(default_factory=dict)


def frame(events: Sequence[AnyEvent]) -> pd.DataFrame:
    table = pd.DataFrame([msgspec.json.decode(encode(event)) for event in events])
    table["at"] = pd.to_datetime(table["occurred_at"], unit="ms", utc=True)
    for column in ("product_id", "category", "query", "items", "amount", "currency", "quantity", "context"):
        if column not in table:
            table[column] = None
    return table


def truths(events: Sequence[AnyEvent], granularity: str) -> dict[int, Truth]:
    """Window start (ms) → truth, for every window that holds an event."""
    table = frame(events)
    table["window"] = table["at"].dt.floor(WIDTH[granularity]).astype("datetime64[ms, UTC]").astype("int64")
    acted = funnel_acts(table)
    found: dict[int, Truth] = {}
    for start, rows in table.groupby("window"):
        buys = rows[rows["type"] == "purchase"]
        stages = acted[acted["window"] == start].drop_duplicates(["session", "stage"])["stage"]
        found[int(str(start))] = Truth(
            events={str(kind): int(count) for kind, count in rows["type"].value_counts().items()},
            revenue={str(k): int(v) for k, v in buys.groupby("currency")["amount"].sum().items()},
            users=rows["user_id"].nunique(),
            funnel=(int((stages == 1).sum()), int((stages == 2).sum()), int((stages == 3).sum())),
            tops=rankings(rows),
        )
    return found


def rankings(rows: pd.DataFrame) -> dict[str, list[tuple[str, int]]]:
    views = rows[rows["type"] == "product_view"]
    carts = rows[rows["type"] == "add_to_cart"].assign(pieces=lambda t: t["quantity"].fillna(1))
    items = pd.DataFrame([item for row in rows["items"].dropna() for item in row], columns=["product_id", "quantity"])
    queries = rows[rows["type"] == "search"]["query"].map(lambda q: " ".join(q.casefold().split())[:100])
    return {
        "products": ranked(views.groupby("product_id").size()),
        "categories": ranked(views[views["category"].fillna("") != ""].groupby("category").size()),
        "carted": ranked(carts.groupby("product_id")["pieces"].sum()),
        "bought": ranked(items.assign(n=items["quantity"].fillna(1)).groupby("product_id")["n"].sum()),
        "searches": ranked(queries[queries != ""].value_counts()),
        "countries": ranked(told(rows, "country").value_counts()),
        "devices": ranked(told(rows, "device_kind").value_counts()),
    }


def told(rows: pd.DataFrame, name: str) -> pd.Series[str]:
    """A field of the context, of those events that have it."""
    values = rows["context"].map(lambda context: context.get(name, "") if isinstance(context, dict) else "")
    return values[values != ""]


def ranked(counts: Any) -> list[tuple[str, int]]:
    return sorted(((str(key), int(count)) for key, count in counts.items()), key=lambda entry: (-entry[1], entry[0]))


def funnel_acts(table: pd.DataFrame) -> pd.DataFrame:
    """The events that count their session: those of a stage that it has reached, in order; (session, window, stage)."""
    reached: dict[tuple[str, str], int] = {}
    acts: list[tuple[tuple[str, str], int, int]] = []
    for kind, user, session, window in zip(table["type"], table["user_id"], table["session_id"], table["window"], strict=True):
        stage = STAGE.get(kind)
        if stage is None:
            continue
        at = reached.get((user, session), 0)
        if stage <= at + 1:
            reached[user, session] = max(at, stage)
            acts.append(((user, session), int(window), stage))
    return pd.DataFrame(acts, columns=["session", "window", "stage"])
