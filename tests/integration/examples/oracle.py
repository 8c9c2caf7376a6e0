"""What the four examples must answer, by batch pandas over the events that were sent. Shares no code with the platform.

An event counts once for its id. Timers follow the watermark of their shard; ``traffic`` keeps clear of every moment at which it
matters how far a shard's watermark is, so a reminder is due when nothing touched the cart for an hour and five minutes.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from tests.integration.examples.traffic import HOUR, MINUTE, Fields

LATENESS = 5 * MINUTE
#: (window's start in ms, key) → cells
Rows = dict[tuple[int, str], dict[str, Any]]


def frame(sent: list[Fields]) -> pd.DataFrame:
    return pd.DataFrame(sent).drop_duplicates("event_id").reset_index(drop=True)


def wishes(events: pd.DataFrame) -> Rows:
    found = _windowed(events[events.type == "wish"], HOUR).groupby(["window", "product_id"])
    return _rows(found.agg(wishes=("event_id", "size"), wishers=("user_id", "nunique")))


def stock(events: pd.DataFrame) -> Rows:
    seen = events[events.type == "stock_seen"][["occurred_at", "product_id", "left"]]
    bought = events[events.type == "purchase"].explode("items")
    sold = pd.DataFrame(
        {
            "occurred_at": bought.occurred_at,
            "product_id": [item["product_id"] for item in bought["items"]],
            "sold": [item["quantity"] for item in bought["items"]],
        }
    )
    found = _windowed(pd.concat([seen, sold]), HOUR).groupby(["window", "product_id"])
    return _rows(found.agg(left=("left", "min"), sold=("sold", "sum")))


def live(events: pd.DataFrame) -> Rows:
    views = events[events.type == "page_view"].copy()
    begins = views.groupby("user_id").session_id.transform(lambda ids: (ids != ids.shift()).cumsum())
    views["campaign"] = views.groupby(["user_id", begins.rename("visit")]).campaign.ffill()
    found = _windowed(views.dropna(subset=["campaign"]), 5 * MINUTE).groupby(["window", "campaign"])
    return _rows(found.agg(sessions=("session_id", "nunique"), views=("event_id", "size")))


def reminders(events: pd.DataFrame) -> dict[str, list[str]]:
    """Identity → products."""
    steps = events[events.type.isin(["add_to_cart", "remove_from_cart", "purchase"])].copy()
    by_user = steps.groupby("user_id")
    added_at = steps.occurred_at.where(steps.type == "add_to_cart")
    steps["due"] = added_at.groupby(steps.user_id).ffill() + HOUR
    is_left = ~(by_user.occurred_at.shift(-1) <= steps.due + LATENESS)
    steps["over"] = is_left | (steps.type == "purchase")
    steps["cart"] = steps.groupby("user_id").over.transform(lambda over: over.shift(fill_value=False).cumsum())
    found = {}
    for (user, _), cart in steps.groupby(["user_id", "cart"]):
        removed = set(cart.product_id[cart.type == "remove_from_cart"])
        products = [product for product in cart.product_id[cart.type == "add_to_cart"] if product not in removed]
        if products and cart.type.iloc[-1] != "purchase":
            found[f"{user}:{int(cart.due.iloc[-1])}"] = products
    return found


def _windowed(events: pd.DataFrame, per: int) -> pd.DataFrame:
    return events.assign(window=events.occurred_at // per * per)


def _rows(found: pd.DataFrame) -> Rows:
    names = [str(name) for name in found]
    return {
        (int(start), str(key)): {name: None if pd.isna(value) else int(value) for name, value in zip(names, cells, strict=True)}
        for start, key, *cells in found.reset_index().itertuples(index=False, name=None)
    }
