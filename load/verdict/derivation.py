"""What must come out of a run, derived from what was sent.

The rules are written here and in ``clickstream.load.verdict.oracle``; none of the platform's code is used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from clickstream.events import AddToCart, ProductView, Purchase, RemoveFromCart, Search
from clickstream.load.traffic.plan import Plan
from clickstream.load.verdict.comparers import archived
from clickstream.load.verdict.comparers.aggregates import Totals, Window
from clickstream.load.verdict.ledger import Bought, Door, Ledger, Visited, WindowTotals
from clickstream.load.verdict.progress import Counted
from clickstream.load.verdict.send_log import Entry, SendLog


def windows(entries: Sequence[Entry]) -> dict[Window, Totals]:
    """The exact aggregates of events, which are in the order of the log."""
    if not entries:
        return {}
    # pandas costs half a second and 100 MB: only who asks for the truth pays
    from clickstream.load.verdict import frames, oracle

    return oracle.aggregate(frames.frame_of(rows(entries)))


def purchases(entries: Iterable[Entry], adversaries: Mapping[str, str]) -> list[Bought]:
    return [
        Bought(
            event_id=event.event_id,
            order_id=event.order_id,
            user_id=event.user_id,
            amount=event.amount,
            currency=event.currency,
            occurred_at=event.occurred_at,
            sent_ms=entry.sent_ms,
            adversary=adversaries.get(event.event_id, ""),
        )
        for entry in entries
        if isinstance(event := entry.event, Purchase)
    ]


def visitors(entries: Iterable[Entry]) -> list[Visited]:
    """Who did something with a product, or searched."""
    touched: dict[str, dict[str, None]] = {}
    searched: dict[str, dict[str, None]] = {}
    bought: dict[str, dict[str, str]] = {}
    orders: Counter[tuple[str, str]] = Counter()
    latest: dict[str, int] = {}
    for entry in entries:
        event = entry.event
        if isinstance(event, Purchase):
            products = [item.product_id for item in event.items]
            bought.setdefault(event.user_id, {}).update({item.product_id: item.category for item in event.items})
            orders.update({(event.user_id, product) for product in products})
        elif isinstance(event, ProductView | AddToCart | RemoveFromCart):
            products = [event.product_id]
        elif isinstance(event, Search):
            products = []
            searched.setdefault(event.user_id, {})[" ".join(event.query.lower().split())] = None
        else:
            continue
        touched.setdefault(event.user_id, {}).update(dict.fromkeys(products))
        latest[event.user_id] = entry.sent_ms
    return [
        Visited(
            user_id=user,
            sent_ms=latest[user],
            touched=list(products),
            searched=list(searched.get(user, {})),
            bought={product: kind for product, kind in bought.get(user, {}).items() if orders[user, product] == 1},
        )
        for user, products in touched.items()
    ]


def ledger_of(
    log: SendLog,
    plan: Plan,
    *,
    stream: str,
    started_ms: int,
    flushed_ms: int,
    put: int,
    refused: int,
    before: Mapping[str, Counted],
    epochs: Mapping[str, int] = {},
    door: Door = Door(),  # noqa: B008  a frozen value
) -> Ledger:
    """The account of a run that has ended; ``put`` and ``refused`` as the stream, or the collector, answered."""
    at_the_door = log.malformed if plan.is_checked_at_the_door else 0
    return Ledger(
        stream=stream,
        plan=plan,
        started_ms=started_ms,
        flushed_ms=flushed_ms,
        sent=log.sent - at_the_door,
        put=put,
        to_refuse=log.oversized + at_the_door,
        refused=refused,
        events=log.events,
        malformed=log.malformed - at_the_door + len(log.raw),
        kinds=log.kinds,
        before=dict(before),
        windows=[WindowTotals(window, totals) for window, totals in windows(log.entries).items()],
        rejected=log.raw + ([] if plan.is_checked_at_the_door else log.rejected),
        purchases=purchases(log.entries, log.adversaries),
        visitors=visitors(log.entries),
        next_clicks=log.next_clicks,
        archived=archived.fingerprints((entry.event.event_id, entry.event.user_id) for entry in log.entries),
        epochs=dict(epochs),
        door=door,
    )


def rows(entries: Iterable[Entry]) -> Iterable[dict[str, Any]]:
    """For the oracle's frames."""
    for entry in entries:
        event = entry.event
        row: dict[str, Any] = {
            "event_id": event.event_id,
            "type": type(event).__struct_config__.tag,
            "user": event.user_id,
            "session": event.session_id,
            "at": event.occurred_at,
            "arrived": entry.sent_ms,
        }
        if isinstance(event, ProductView | AddToCart | RemoveFromCart):
            row |= {"product": event.product_id, "category": event.category}
            row["quantity"] = 0 if isinstance(event, ProductView) else event.quantity
        elif isinstance(event, Search):
            row["query"] = event.query
        elif isinstance(event, Purchase):
            row |= {"amount": event.amount, "currency": event.currency}
            row["basket"] = tuple((item.product_id, item.quantity) for item in event.items)
        yield row
