"""What must come out of a run: the truth that `clickstream load verify` compares every application's answers with.

It is worked out from what was sent, by rules written here and in ``load.verdict.oracle``: none of the platform's code is used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from clickstream.errors import Missing, UserMistake
from clickstream.events import AddToCart, AnyEvent, ProductView, Purchase, RemoveFromCart, Search
from load.driving.plan import Plan
from load.verdict.comparers import archived
from load.verdict.comparers.aggregates import Totals, Window
from load.verdict.progress import Counted
from load.verdict.sent_records import Book, Entry, Rejected


class WindowTotals(msgspec.Struct, frozen=True):
    window: Window
    totals: Totals


class Bought(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase that must be decided exactly once; ``adversary`` "" for a genuine one. Times in ms since the epoch."""

    event_id: str
    order_id: str
    user_id: str
    amount: int
    currency: str
    occurred_at: int
    sent_ms: int
    adversary: str = ""


class Visited(msgspec.Struct, frozen=True, kw_only=True):
    """A visitor who must have an offer: products touched in order of the first time; products bought once, with categories.

    What is bought again is used up, and may be offered. ``searched``: in small letters, words apart by one space.
    """

    user_id: str
    sent_ms: int
    """Of the last event about a product, or the last search."""
    touched: list[str]
    searched: list[str]
    bought: dict[str, str]


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """What the collector answered to those who besieged it, beside what it must."""

    asked: int = 0
    stalled: int = 0
    """Connections that were left open in the middle of a request."""
    wrong: list[str] = []


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """A finished run; the file that ``clickstream load verify`` reads."""

    stream: str
    plan: Plan
    started_ms: int
    """Wall clock at the first intended send time."""
    flushed_ms: int
    sent: int
    """Records that must be on the stream."""
    put: int
    """Records that were acknowledged."""
    to_refuse: int
    """Records that must not be accepted at all: too large, and over HTTP all that are no events."""
    refused: int
    events: int
    """Valid events, each once."""
    malformed: int
    """Records on the stream that are no events: each a dead letter of each application."""
    kinds: dict[str, int]
    before: dict[str, Counted]
    """What each application had counted before the run."""
    windows: list[WindowTotals]
    rejected: list[Rejected]
    purchases: list[Bought]
    visitors: list[Visited]
    next_clicks: dict[str, str]
    archived: bytes = b""
    """A fingerprint of each event (``load.verdict.comparers.archived``), sorted."""
    epochs: dict[str, int] = {}
    """By application, how often its shards had come to a process before the run."""
    door: Door = Door()

    @property
    def is_first(self) -> bool:
        """Whether the stream was empty before: then nothing in any store is somebody else's."""
        return not any(counted.records for counted in self.before.values())

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.encode(self))


def read(path: Path) -> Ledger:
    """Raises Missing or UserMistake."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Ledger)
    except FileNotFoundError as error:
        raise Missing(f"no ledger {path}", hint="`clickstream load run` writes one") from error
    except msgspec.MsgspecError as error:
        raise UserMistake(f"{path} is no ledger: {error}") from error


def windows(entries: Sequence[Entry]) -> dict[Window, Totals]:
    """The exact aggregates of events, which are in the order of the log."""
    if not entries:
        return {}
    # pandas costs half a second and 100 MB: only who asks for the truth pays
    from load.verdict import frames, oracle

    return oracle.aggregate(frames.frame_of(_rows(entry.event for entry in entries)))


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
    book: Book,
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
    at_the_door = book.malformed if plan.is_checked_at_the_door else 0
    return Ledger(
        stream=stream,
        plan=plan,
        started_ms=started_ms,
        flushed_ms=flushed_ms,
        sent=book.sent - at_the_door,
        put=put,
        to_refuse=book.oversized + at_the_door,
        refused=refused,
        events=book.events,
        malformed=book.malformed - at_the_door + len(book.raw),
        kinds=book.kinds,
        before=dict(before),
        windows=[WindowTotals(window, totals) for window, totals in windows(book.entries).items()],
        rejected=book.raw + ([] if plan.is_checked_at_the_door else book.rejected),
        purchases=purchases(book.entries, book.adversaries),
        visitors=visitors(book.entries),
        next_clicks=book.next_clicks,
        archived=archived.fingerprints((entry.event.event_id, entry.event.user_id) for entry in book.entries),
        epochs=dict(epochs),
        door=door,
    )


def _rows(events: Iterable[AnyEvent]) -> Iterable[dict[str, Any]]:
    for event in events:
        row: dict[str, Any] = {
            "event_id": event.event_id,
            "type": type(event).__struct_config__.tag,
            "user": event.user_id,
            "session": event.session_id,
            "at": event.occurred_at,
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
