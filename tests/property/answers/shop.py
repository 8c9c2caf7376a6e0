"""A short application that uses all there is, and events that come late, twice at a time and from few users."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from hypothesis import strategies as st

from clickstream.answers import (
    DAY,
    HOUR,
    MINUTE,
    Application,
    Count,
    Distinct,
    Files,
    Max,
    Messages,
    Min,
    Quantiles,
    Sum,
    Table,
    Top,
    User,
)
from clickstream.answers.declared import Answer
from clickstream.answers.effects import Effect, Line, Row
from clickstream.events import AddToCart, AnyEvent, Login, ProductView, Purchase

START = 1_764_500_000_000 - 1_764_500_000_000 % DAY
LATENESS = 2 * MINUTE

SEEN = Table("seen", per=MINUTE, views=Count(), viewers=Distinct(), first=Min(), last=Max())
SOLD = Table("sold", per=HOUR, pieces=Sum(), prices=Quantiles(), top=Top(1))
EVER = Table("ever", per=0, events=Count())
REMINDERS = Messages("reminders")
LOG = Files("log")


class Cart(msgspec.Struct):
    product_id: str = ""
    added: int = 0


def viewed(event: ProductView, user: User[Cart]) -> Iterator[Answer]:
    at = event.occurred_at
    yield SEEN.add(event.product_id, views=1, viewers=user.id, first=at, last=at)
    yield EVER.add(event.product_id, events=1)


def carted(event: AddToCart, user: User[Cart]) -> None:
    user.state.product_id = event.product_id
    user.state.added += event.quantity
    user.wake("cart", event.occurred_at + 3 * MINUTE)
    user.wake("check", event.occurred_at + MINUTE)
    if event.quantity == 3:
        user.sleep("check")


def bought(event: Purchase, user: User[Cart]) -> Iterator[Answer]:
    for item in event.items:
        yield SOLD.add("all", pieces=item.quantity, prices=item.price, top=(item.product_id, item.quantity))
        yield LOG.write(product_id=item.product_id, carted=user.state.added)
    user.forget()


def remind(user: User[Cart], at_ms: int) -> Iterator[Answer]:
    product, added = user.state.product_id, user.state.added
    # one identity, one body: a timer that is set into the past goes off twice for one time
    yield REMINDERS.send(f"{user.id}:{at_ms}:{product}:{added}", product_id=product, added=added)
    yield EVER.add("reminders", events=1)


def check(user: User[Cart], at_ms: int) -> None:
    """Puts the other timer off, and once into the past."""
    user.state.added += 100
    user.wake("cart", at_ms if user.state.added % 2 else at_ms + 4 * MINUTE)


SHOP = Application(
    "shop",
    on={"product_view": viewed, "add_to_cart": carted, "purchase": bought},
    timers={"cart": remind, "check": check},
    answers=[SEEN, SOLD, EVER, REMINDERS, LOG],
    state=Cart,
    lateness=LATENESS,
    users_kept=20 * MINUTE,
)


@st.composite
def _event(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "kind": draw(st.sampled_from(["view", "view", "cart", "purchase", "login"])),
        "user": draw(st.integers(0, 4)),
        "product": draw(st.integers(0, 3)),
        "quantity": draw(st.integers(1, 3)),
        "step": draw(st.sampled_from([0, 1, 20_000, 60_000, 1_200_000])),
        "late": draw(st.sampled_from([0, 0, 0, 30_000, 180_000, 4_000_000])),
    }


def _made(drawn: Sequence[dict[str, Any]]) -> list[AnyEvent]:
    events: list[AnyEvent] = []
    now = START
    for number, of in enumerate(drawn):
        now += of["step"]
        user = f"user-{of['user']}"
        envelope = {"event_id": f"e{number}", "user_id": user, "session_id": user, "occurred_at": now - of["late"]}
        product, quantity = f"product-{of['product']}", of["quantity"]
        match of["kind"]:
            case "view":
                events.append(ProductView(**envelope, product_id=product))
            case "cart":
                events.append(AddToCart(**envelope, product_id=product, quantity=quantity))
            case "purchase":
                item = {"product_id": product, "quantity": quantity, "price": 10 ** of["user"]}
                fields = {"order_id": f"o{number}", "items": [item], "amount": 1, "currency": "EUR"}
                events.append(msgspec.convert({**envelope, **fields, "type": "purchase"}, Purchase))
            case _:
                events.append(Login(**envelope))
    return events


streams = st.lists(_event(), max_size=60).map(_made)


class Store:
    """What a sink makes of effects: rows by their place, messages by their identity, lines by their ordinal."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, int, int, str], dict[str, Any]] = {}
        self.messages: dict[str, bytes] = {}
        self.lines: dict[int, bytes] = {}

    def write(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Row):
                self.rows[effect[:4]] = effect.cells
            elif isinstance(effect, Line):
                assert self.lines.setdefault(effect.ordinal, effect.line) == effect.line
            else:
                assert self.messages.setdefault(effect.id, effect.body) == effect.body

    def merged(self, *others: Store) -> dict[tuple[str, int, str], dict[str, Any]]:
        """(table, start, key) → answers, merged over parts and shards."""
        states: dict[tuple[str, int, str], dict[str, Any]] = {}
        for store in (self, *others):
            for (table, start, _, key), packed in store.rows.items():
                cells = SHOP.tables[table].cells
                row = states.setdefault((table, start, key), {name: cell.empty() for name, cell in cells.items()})
                for name, cell in cells.items():
                    row[name] = cell.merge(row[name], cell.unpack(packed[name]))
        return {
            place: {name: SHOP.tables[place[0]].cells[name].read(state) for name, state in row.items()}
            for place, row in states.items()
        }

    def known(self) -> tuple[Any, ...]:
        return self.rows, self.messages, self.lines
