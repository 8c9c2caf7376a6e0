"""Random shop traffic in shard order: seeded, with late events, several currencies and odd texts."""

from __future__ import annotations

import random
from typing import Any

from msgspec import UNSET

from clickstream.events import (
    AddToCart,
    AnyEvent,
    Context,
    Item,
    Login,
    PageView,
    ProductView,
    Purchase,
    RemoveFromCart,
    Search,
)

#: 2026-11-24T23:40Z: hours and a day end within the first half hour.
START_MS = 1_795_563_600_000
QUERIES = ("Red Shoes", "  red   SHOES ", "straße", "STRASSE", "日本", "", "   ", "x" * 130)


def traffic(
    seed: int, count: int, *, start_ms: int = START_MS, step_ms: int = 3_000, late_ms: int = 240_000, users: int = 12
) -> list[AnyEvent]:
    """One event about every ``step_ms``, each up to ``late_ms`` late; ``users`` visitors with two session ids each."""
    rng = random.Random(seed)
    events: list[AnyEvent] = []
    for number in range(count):
        at_ms = max(0, start_ms + number * step_ms - (rng.randrange(late_ms) if rng.random() < 0.4 else 0))
        events.append(one(rng, f"{seed}-{number}", f"u{rng.randrange(users)}", at_ms))
    return events


def one(rng: random.Random, event_id: str, user: str, at_ms: int) -> AnyEvent:
    product, category = f"p{rng.randrange(9)}", rng.choice(["", "a", "b"])
    base: dict[str, Any] = {"event_id": event_id, "user_id": user, "session_id": f"s{rng.randrange(2)}", "occurred_at": at_ms}
    base["context"] = Context(country=rng.choice(["", "DE", "FR"]), device_kind=rng.choice([UNSET, "phone", "desktop"]))
    match rng.choices(range(7), [40, 20, 12, 10, 6, 6, 6])[0]:
        case 0:
            return ProductView(**base, product_id=product, category=category)
        case 1:
            return AddToCart(**base, product_id=product, quantity=rng.randint(1, 3))
        case 2:
            items = tuple(Item(product_id=f"p{rng.randrange(9)}", quantity=rng.randint(1, 4)) for _ in range(rng.randint(1, 3)))
            return Purchase(
                **base,
                order_id=event_id,
                items=items,
                amount=rng.randrange(10**6),
                currency=rng.choice(["EUR", "USD", "JPY"]),
            )
        case 3:
            return Search(**base, query=rng.choice(QUERIES))
        case 4:
            return PageView(**base, url="/")
        case 5:
            return RemoveFromCart(**base, product_id=product)
        case _:
            return Login(**base)
