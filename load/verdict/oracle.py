"""What the aggregates must be: batch pandas over events (``load.verdict.frames``), sharing no code with the platform.

The rules: tumbling UTC windows by ``occurred_at``; a user's event id counts once in two spans of arrival; revenue is the sum of
purchase amounts per currency; products and categories are ranked by product views, what was carted and bought by pieces,
searches by the first 100 characters of their case-folded text with single spaces; a session (of one user) counts once per
window and funnel stage in which it acts: it views a product; it adds to the cart, having viewed before; it purchases, having
done the former before, in the order of the log.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from hashlib import md5
from typing import Any

import pandas as pd

from clickstream.load.verdict.comparers.aggregates import GRANULARITIES, TOP, Ranking, Totals, Window

#: An event that comes again is known by its id in this span of arrival and the next.
SPAN_MS = 5 * 60 * 1000
#: The platform forgets a session this long (event time) after its last act of the funnel, and follows none for longer than a
#: day; where that matters, the funnel is not defined.
SESSION_MEMORY_MS = 60 * 60 * 1000
SESSION_SPAN_MS = 23 * SESSION_MEMORY_MS


def aggregate(events: pd.DataFrame, starts: Sequence[int] = ()) -> dict[Window, Totals]:
    """Every window's exact aggregates of events in the order of the log.

    A funnel is None where a session acts that pauses or lasts for longer than the platform follows one. ``starts``: where the
    hash range of each shard starts, if it is known and was the same for all events; then fewer sessions are doubtful.
    """
    events = _counted(events)
    if events.empty:
        return {}
    query = events["query"].map(lambda text: " ".join(str(text).casefold().split())[:100])
    events = events.assign(query=query)
    stages, unclear = _funnel_stages(events), _too_long(events, starts)
    windows: dict[Window, Totals] = {}
    for granularity, width in GRANULARITIES.items():
        events["window"] = events["at"] // width * width
        windows |= {Window(granularity, start): totals for start, totals in _windows(events, stages).items()}
        for start in events["window"][unclear].unique():
            windows[Window(granularity, int(start))].funnel = None
    return windows


def not_followed(events: pd.DataFrame, starts: Sequence[int] = ()) -> int:
    """The sessions for which ``aggregate`` leaves funnels undefined."""
    events = _counted(events)
    return 0 if events.empty else int(events["visit"][_too_long(events, starts)].nunique())


def _counted(events: pd.DataFrame) -> pd.DataFrame:
    """Those that count, with the number of each one's session."""
    events = events[~repeated(events)].reset_index(drop=True)
    return events.assign(visit=events.groupby(["user", "session"]).ngroup())


def repeated(events: pd.DataFrame) -> pd.Series[bool]:
    """Which rows are an event that came before and was counted then."""
    counted: dict[tuple[str, str], int] = {}
    found: list[bool] = []
    for user, event_id, arrived in zip(events["user"], events["event_id"], events["arrived"], strict=True):
        span = arrived // SPAN_MS
        found.append(span - counted.get((user, event_id), -2) < 2)
        if not found[-1]:
            counted[user, event_id] = span
    return pd.Series(found, index=events.index, dtype=bool)


def _too_long(events: pd.DataFrame, starts: Sequence[int]) -> pd.Series[bool]:
    """The acts of the sessions that the platform does not follow to their end."""
    acts = events["type"].isin(["product_view", "add_to_cart", "purchase"])
    visit = events["visit"][acts]
    times = events["at"][acts].groupby(visit)
    if starts:
        # a session's last act stands beside the latest time of its shard then, which may be far ahead of its own
        latest = events["at"].groupby(events["user"].map(lambda user: bisect_right(starts, _hash(user)))).cummax()
        earlier = latest[acts].groupby(visit).shift()
    else:
        # the latest time anywhere bounds the latest time in the session's shard, whatever the sharding
        latest = events["at"].cummax()
        earlier = times.cummax().groupby(visit).shift()
    pauses = (latest[acts] - earlier).fillna(0)
    spans = times.max() - times.min()
    long = set(visit[pauses > SESSION_MEMORY_MS]) | set(spans.index[spans > SESSION_SPAN_MS])
    return acts & events["visit"].isin(long)


def _hash(user: str) -> int:
    """What Kinesis makes of a partition key."""
    return int.from_bytes(md5(user.encode(), usedforsecurity=False).digest(), "big")


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
    for start, kind, count in _rows(events.groupby(["window", "type"]).size().reset_index(name="count")):
        totals[start].events[kind] = count
    purchases = events[events["type"].eq("purchase")]
    revenue = purchases.groupby(["window", "currency"], as_index=False)["amount"].sum()
    for start, currency, amount in _rows(revenue):
        totals[start].revenue[currency] = amount
    for start, count in _rows(events.groupby("window", as_index=False)["user"].nunique()):
        totals[start].uniques = count
        totals[start].orders = totals[start].events.get("purchase", 0)
    for name, ranked in _ranked(events, purchases).items():
        for start, ranking in _leaders(ranked).items():
            setattr(totals[start], name, ranking)
    sessions = [events[acting].groupby("window")["visit"].nunique() for acting in stages]
    for start, total in totals.items():
        first, second, third = (int(stage.get(start, 0)) for stage in sessions)
        total.funnel = (first, second, third)
    return totals


def _ranked(events: pd.DataFrame, purchases: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """For each ranking the columns window, key and count: what is counted, once per row."""
    views = events[events["type"].eq("product_view")].assign(count=1)
    carts = events[events["type"].eq("add_to_cart")].rename(columns={"quantity": "count"})
    pieces = purchases[["window", "basket"]].explode("basket").dropna()
    bought = pd.DataFrame(
        {
            "window": pieces["window"],
            "key": [product for product, _ in pieces["basket"]],
            "count": [quantity for _, quantity in pieces["basket"]],
        }
    )
    return {
        "products": views.rename(columns={"product": "key"})[["window", "key", "count"]],
        "categories": views.rename(columns={"category": "key"})[["window", "key", "count"]],
        "carted": carts.rename(columns={"product": "key"})[["window", "key", "count"]],
        "bought": bought,
        "searches": events[events["type"].eq("search")]
        .assign(count=1)
        .rename(columns={"query": "key"})[["window", "key", "count"]],
    }


def _leaders(ranked: pd.DataFrame) -> dict[int, Ranking]:
    """Per window the ``TOP`` keys of the highest sums, by sum descending and key ascending; "" is no key."""
    sums: Any = ranked[ranked["key"].ne("")].groupby(["window", "key"], as_index=False)["count"].sum()
    ordered = sums.sort_values(["window", "count", "key"], ascending=[True, False, True])
    leaders: dict[int, Ranking] = {}
    for start, key, count in _rows(ordered.groupby("window").head(TOP)):
        leaders.setdefault(start, []).append((key, count))
    return leaders


def _rows(frame: Any) -> list[Any]:
    """A frame's rows as tuples of plain Python values. (pandas-stubs calls some of these frames a Series.)"""
    return list(zip(*(frame[column].tolist() for column in frame.columns), strict=True))
