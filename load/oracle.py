"""What the aggregates must be: batch pandas over a frame of events (``load.frames``), sharing no code with the platform.

The rules: tumbling UTC windows by ``occurred_at``; an event id counts once; revenue is the sum of purchase amounts per
currency; products and categories are ranked by product views, searches by their case-folded text with single spaces; a
session (of one user) counts once per window and funnel stage in which it acts: it views a product; it adds to the cart,
having viewed before; it purchases, having done the former before, in the order of the log.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from load.aggregates import GRANULARITIES, TOP, Ranking, Totals, Window

#: The platform forgets a session this long (event time) after its last act of the funnel, and follows none for longer than a
#: day; inputs in which that matters are refused.
SESSION_MEMORY_MS = 60 * 60 * 1000
SESSION_SPAN_MS = 23 * SESSION_MEMORY_MS


def aggregate(events: pd.DataFrame) -> dict[Window, Totals]:
    """Every window's exact aggregates of events in the order of the log.

    Raises ValueError when a session pauses or lasts for longer than the platform follows one.
    """
    events = events.drop_duplicates("event_id", keep="first").reset_index(drop=True)
    if events.empty:
        return {}
    visit = events.groupby(["user", "session"]).ngroup()
    query = events["query"].map(lambda text: " ".join(str(text).casefold().split()))
    events = events.assign(visit=visit, query=query)
    _refuse_long_sessions(events)
    stages = _funnel_stages(events)
    windows: dict[Window, Totals] = {}
    for granularity, width in GRANULARITIES.items():
        events["window"] = events["at"] // width * width
        windows |= {Window(granularity, start): totals for start, totals in _windows(events, stages).items()}
    return windows


def _refuse_long_sessions(events: pd.DataFrame) -> None:
    # the latest time anywhere bounds the latest time in the session's shard, whatever the sharding
    latest = events["at"].cummax()
    acts = events["type"].isin(["product_view", "add_to_cart", "purchase"])
    visit = events["visit"][acts]
    times = events["at"][acts].groupby(visit)
    pauses = (latest[acts] - times.cummax().groupby(visit).shift()).fillna(0)
    spans = times.max() - times.min()
    if pauses.max() > SESSION_MEMORY_MS or spans.max() > SESSION_SPAN_MS:
        raise ValueError(
            f"a session pauses for {pauses.max() / 60_000:.0f} or lasts for {spans.max() / 60_000:.0f} minutes: "
            "longer than the platform follows one, so its funnel is not defined"
        )


def _funnel_stages(events: pd.DataFrame) -> list[pd.Series[bool]]:
    """For each stage, which rows are an act of a session in it."""
    viewing = events["type"].eq("product_view")
    viewed = viewing.groupby(events["visit"]).cummax()
    carting = events["type"].eq("add_to_cart") & viewed
    carted = carting.groupby(events["visit"]).cummax()
    return [viewing, carting, events["type"].eq("purchase") & carted]


def _windows(events: pd.DataFrame, stages: list[pd.Series[bool]]) -> dict[int, Totals]:
    """Totals by the value of the ``window`` column."""
    totals = {int(start): Totals() for start in events["window"].unique()}
    for start, kind, count in _counts(events, "type"):
        totals[start].events[kind] = count
    purchases = events[events["type"].eq("purchase")]
    revenue = purchases.groupby(["window", "currency"], as_index=False)["amount"].sum()
    for start, currency, amount in _rows(revenue):
        totals[start].revenue[currency] = amount
    for start, count in _rows(events.groupby("window", as_index=False)["user"].nunique()):
        totals[start].uniques = count
    views = events[events["type"].eq("product_view")]
    for start, ranking in _top(views, "product").items():
        totals[start].viewed = ranking
    for start, ranking in _top(views, "category").items():
        totals[start].categories = ranking
    for start, ranking in _top(events[events["type"].eq("search")], "query").items():
        totals[start].searches = ranking
    sessions = [events[acting].groupby("window")["visit"].nunique() for acting in stages]
    for start, total in totals.items():
        first, second, third = (int(stage.get(start, 0)) for stage in sessions)
        total.funnel = (first, second, third)
    return totals


def _counts(events: pd.DataFrame, key: str) -> list[tuple[int, str, int]]:
    """(window, value of a column, how often), by count descending and value ascending within a window."""
    counts = events.groupby(["window", key]).size().reset_index(name="count")
    rows: list[tuple[int, str, int]] = _rows(counts.sort_values(["window", "count", key], ascending=[True, False, True]))
    return rows


def _top(events: pd.DataFrame, key: str) -> dict[int, Ranking]:
    """Per window the ``TOP`` most frequent values of a column; "" is no value."""
    leaders: dict[int, Ranking] = {}
    for start, value, count in _counts(events[events[key].ne("")], key):
        ranking = leaders.setdefault(start, [])
        if len(ranking) < TOP:
            ranking.append((value, count))
    return leaders


def _rows(frame: Any) -> list[Any]:
    """A frame's rows as tuples of plain Python values. (pandas-stubs calls some of these frames a Series.)"""
    return list(zip(*(frame[column].tolist() for column in frame.columns), strict=True))
