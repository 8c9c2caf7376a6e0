"""A day of a shop with events of its own, as plain JSON objects in the order in which they are sent.

Carts move the front of event time and come in its order; everything else comes up to two hours late. No cart is touched
between 55 and 80 minutes after its last product: whether a reminder comes does then not depend on which shard saw which
other user first.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

MINUTE, HOUR = 60_000, 3_600_000
#: Of event time: carts begin within it, and their reminders are due before the shop closes.
DAY = 12 * HOUR
CLOSING = 18 * HOUR
PRODUCTS = [f"p-{number}" for number in range(12)]
CAMPAIGNS = ["spring", "gift-guide", "newsletter 7", "größe"]

Fields = dict[str, Any]


def day(opens_ms: int, seed: int, shoppers: int = 150, others: int = 3_000) -> list[Fields]:
    """The events of one day, but for the last ones (``closing``); one in forty is sent twice, as after a lost answer."""
    random = Random(seed)
    placed = [step for shopper in range(shoppers) for step in _carts(random, f"shopper-{shopper}", opens_ms)]
    visits = [_Visits(random, f"visitor-{number}") for number in range(80)]
    for front in sorted(opens_ms + random.randrange(DAY) for _ in range(others)):
        late = random.randrange(2 * HOUR) if random.random() < 0.2 else random.randrange(MINUTE)
        placed.append((front, _other(random, random.choice(visits), front - late)))
    sent: list[Fields] = []
    for number, (_, fields) in enumerate(sorted(placed, key=lambda each: each[0])):
        event = {"event_id": f"e-{number}", "session_id": "s", **fields}
        sent += [event] * (1 + (random.random() < 1 / 40))
    return sent


def closing(opens_ms: int) -> list[Fields]:
    """One event of each of many users, late enough for every timer: each shard gets some of them."""
    return [
        {
            "type": "page_view",
            "event_id": f"closing-{number}",
            "user_id": f"closing-{number}",
            "session_id": "s",
            "occurred_at": opens_ms + CLOSING,
        }
        for number in range(64)
    ]


def _carts(random: Random, user: str, opens_ms: int) -> Iterator[tuple[int, Fields]]:
    at = opens_ms + random.randrange(6 * HOUR)

    def step(kind: str, **more: Any) -> tuple[int, Fields]:
        return at, {"type": kind, "user_id": user, "occurred_at": at, **more}

    for number in range(random.randint(1, 3)):
        products = random.sample(PRODUCTS, random.randint(1, 3))
        for product in products:
            at += random.randrange(MINUTE, 20 * MINUTE)
            yield step("add_to_cart", product_id=product)
        for product in random.sample(products, random.choice([0, 0, 0, 1, len(products)])):
            at += random.randrange(MINUTE, 8 * MINUTE)
            yield step("remove_from_cart", product_id=product)
        bought = random.choice(["soon", "late", "never"])
        at += random.randrange(5 * MINUTE, 30 * MINUTE) if bought == "soon" else random.randrange(90 * MINUTE, 120 * MINUTE)
        if bought != "never":
            items = [{"product_id": product, "quantity": random.randint(1, 3), "price": 100} for product in products]
            yield step("purchase", order_id=f"{user}-{number}", items=items, amount=100, currency="EUR")


class _Visits:
    def __init__(self, random: Random, user: str) -> None:
        self._random, self.user, self.session = random, user, 0

    def view(self) -> Fields:
        begins = self._random.random() < 0.2
        self.session += begins
        named = self._random.random() < (0.6 if begins else 0.05)
        campaign = {"campaign": self._random.choice(CAMPAIGNS)} if named else {}
        return {"type": "page_view", "session_id": f"{self.user}-{self.session}", "url": "/", **campaign}


def _other(random: Random, visits: _Visits, at: int) -> Fields:
    product = random.choice(PRODUCTS)
    kind = random.choice(["wish", "wish", "stock_seen", "page_view", "page_view", "product_view"])
    fields: Fields = {"type": kind, "product_id": product}
    if kind == "page_view":
        fields = visits.view()
    elif kind == "stock_seen":
        fields["left"] = random.randint(0, 60)
    return {"user_id": visits.user, "occurred_at": at, **fields}
