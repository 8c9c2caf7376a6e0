"""Seeded visits for the tests of the recommendations application."""

from __future__ import annotations

from random import Random

from clickstream.events import AddToCart, AnyEvent, Item, PageView, ProductView, Purchase, RemoveFromCart, Search

START_MS = 1_790_000_000_000
MINUTE_MS = 60_000


def view(user: str, product: str, at_ms: int = START_MS) -> ProductView:
    return ProductView(
        event_id=f"{user}-{product}-{at_ms}", user_id=user, session_id="s", occurred_at=at_ms, product_id=product
    )


def cart(user: str, product: str, at_ms: int = START_MS) -> AddToCart:
    return AddToCart(event_id=f"c{user}-{product}-{at_ms}", user_id=user, session_id="s", occurred_at=at_ms, product_id=product)


def uncart(user: str, product: str, at_ms: int = START_MS) -> RemoveFromCart:
    return RemoveFromCart(
        event_id=f"r{user}-{product}-{at_ms}", user_id=user, session_id="s", occurred_at=at_ms, product_id=product
    )


def buy(user: str, *products: str, at_ms: int = START_MS, category: str = "") -> Purchase:
    return Purchase(
        event_id=f"b{user}-{products}-{at_ms}",
        user_id=user,
        session_id="s",
        occurred_at=at_ms,
        order_id=f"o{user}-{at_ms}",
        items=tuple(Item(product_id=product, category=category) for product in products),
        amount=100,
        currency="EUR",
    )


def search(user: str, query: str, at_ms: int = START_MS) -> Search:
    return Search(event_id=f"q{user}-{query}-{at_ms}", user_id=user, session_id="s", occurred_at=at_ms, query=query)


def page(user: str, at_ms: int) -> PageView:
    return PageView(event_id=f"p{user}-{at_ms}", user_id=user, session_id="s", occurred_at=at_ms)


def traffic(seed: int, count: int, *, users: int = 6, step_ms: int = 60_000, late_ms: int = 120_000) -> list[AnyEvent]:
    """``count`` events of a few users, up to ``late_ms`` late, with pauses that end visits and even purchases' memory."""
    random = Random(seed)
    at_ms = START_MS
    made: list[AnyEvent] = []
    for _ in range(count):
        at_ms += random.randrange(step_ms)
        pause = random.random()
        if pause < 0.03:
            at_ms += 31 * MINUTE_MS if pause > 0.004 else 31 * 24 * 60 * MINUTE_MS
        user, product = f"u{random.randrange(users)}", f"p{random.randrange(12)}"
        at = at_ms - random.randrange(late_ms)
        kind = random.randrange(9)
        if kind < 4:
            made.append(view(user, product, at))
        elif kind == 4:
            made.append(cart(user, product, at))
        elif kind == 5:
            made.append(uncart(user, product, at))
        elif kind == 6:
            made.append(buy(user, product, f"p{random.randrange(12)}", at_ms=at))
        elif kind == 7:
            made.append(search(user, f"{random.randrange(4)} Lamps ", at))
        else:
            made.append(page(user, at))
    return made
