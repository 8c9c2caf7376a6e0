"""People who shop over weeks, each with habits of their own: what fraud has to be distinguished from. Pure and seeded.

Not all that is unusual is fraud: people travel, buy telephones, lose cards, forget passwords, give presents, and meet sales.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec

from clickstream.events import AddToCart, AnyEvent, Context, Item, Login, ProductView, Purchase

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
COUNTRIES = ("DE", "FR", "NL", "AT", "ES")


class Shopper(msgspec.Struct):
    """``usual``: the median amount in cents."""

    user_id: str
    devices: list[str]
    country: str
    cards: list[str]
    usual: float
    visits_per_day: float
    wakes_hour: int


class Visit:
    """Writes one visit's events, in order of time."""

    def __init__(self, random: Random, name: str, user_id: str, at_ms: int, context: Context) -> None:
        self.random = random
        self.events: list[AnyEvent] = []
        self.at_ms = at_ms
        self._name = name
        self._envelope: dict[str, Any] = {"user_id": user_id, "session_id": f"{name}-s", "context": context}

    def wait(self, mean_s: float) -> None:
        self.at_ms += int(self.random.expovariate(1 / mean_s) * 1000) + 1

    def _next(self) -> dict[str, Any]:
        return {"event_id": f"{self._name}-{len(self.events):03d}", "occurred_at": self.at_ms, **self._envelope}

    def login(self, failures: int, pause_s: float) -> None:
        for n in range(failures + 1):
            self.events.append(Login(**self._next(), success=n == failures))
            self.wait(pause_s)

    def look(self, views: int, pause_s: float) -> None:
        for _ in range(views):
            self.events.append(ProductView(**self._next(), product_id=f"p{self.random.randrange(5_000)}"))
            self.wait(pause_s)

    def put_into_cart(self, pause_s: float) -> None:
        self.events.append(AddToCart(**self._next(), product_id=f"p{self.random.randrange(5_000)}"))
        self.wait(pause_s)

    def buy(self, amount: float, card: str) -> str:
        """The purchase's event id; ``amount`` in cents."""
        lines = min(1 + int(self.random.expovariate(1.2)), 8)
        price = max(int(amount / lines), 1)
        envelope = self._next()
        items = tuple(Item(product_id=f"p{self.random.randrange(5_000)}", price=price) for _ in range(lines))
        self.events.append(
            Purchase(
                **envelope,
                order_id=f"o-{envelope['event_id']}",
                items=items,
                amount=price * lines,
                currency="EUR",
                payment_fingerprint=card,
            )
        )
        self.wait(60)
        return str(envelope["event_id"])


def shopper(random: Random, seed: int, n: int) -> Shopper:
    # two histories may meet on one stream: an id of one must not be the other's
    name = f"u{seed}-{n:06d}"
    return Shopper(
        user_id=name,
        devices=[f"d-{name}-{k}" for k in range(1 + (random.random() < 0.5))],
        country=random.choice(COUNTRIES),
        cards=[f"c-{name}-{k}" for k in range(1 + (random.random() < 0.3))],
        usual=random.lognormvariate(math.log(4_500), 0.6),
        visits_per_day=random.lognormvariate(math.log(0.35), 0.7),
        wakes_hour=random.choice((6, 7, 7, 8, 9, 11)),
    )


def visits(random: Random, who: Shopper, start_ms: int, days: int) -> Iterator[list[AnyEvent]]:
    """The visits of one person over some days."""
    abroad_until = -1
    abroad = who.country
    for day in range(days):
        if day > abroad_until and random.random() < 0.008:
            abroad_until, abroad = day + random.randrange(2, 9), random.choice((*COUNTRIES, "US", "TR"))
        if random.random() < 0.004:
            who.devices[random.randrange(len(who.devices))] = f"d-{who.user_id}-new{day}"
        if random.random() < 0.002:
            who.cards[random.randrange(len(who.cards))] = f"c-{who.user_id}-new{day}"
        for visit in range(_poisson(random, who.visits_per_day)):
            country = abroad if day <= abroad_until else who.country
            yield _visit(random, who, f"{who.user_id}-{day:02d}-{visit}", start_ms + day * DAY_MS, country)


def _visit(random: Random, who: Shopper, name: str, midnight_ms: int, country: str) -> list[AnyEvent]:
    hour = min(who.wakes_hour + random.betavariate(2, 1.6) * 16, 26.0)
    device = random.choice(who.devices)
    context = Context(device=device, country=country, ip=f"ip-{device}-{country}")
    visit = Visit(random, name, who.user_id, midnight_ms + int(hour * HOUR_MS), context)
    if random.random() < 0.4:
        visit.login(_poisson(random, 3.0) if random.random() < 0.03 else int(random.random() < 0.1), 15)
    visit.look(1 + int(random.expovariate(1 / 6)), 40)
    if random.random() < 0.4:
        visit.put_into_cart(60)
        if random.random() < 0.7:
            present = random.lognormvariate(1.6, 0.5) if random.random() < 0.03 else 1.0
            visit.buy(random.lognormvariate(math.log(who.usual), 0.7) * present, random.choice(who.cards))
            if random.random() < 0.05:  # forgot something
                visit.look(2, 30)
                visit.buy(random.lognormvariate(math.log(who.usual), 0.7) * 0.4, who.cards[0])
    return visit.events


def _poisson(random: Random, mean: float) -> int:
    limit, count, product = math.exp(-mean), 0, random.random()
    while product > limit:
        count += 1
        product *= random.random()
    return count
