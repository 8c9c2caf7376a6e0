"""Those who steal, by kind, among people who shop; every purchase labelled with the truth. Pure and seeded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from random import Random

import msgspec

from clickstream.events import AnyEvent, Context, Purchase
from clickstream.load.traffic.history.shoppers import COUNTRIES, DAY_MS, HOUR_MS, Shopper, Visit, shopper, visits

#: Attacks per hundred people and month, by kind.
RATES = {"takeover": 4.0, "card_testing": 0.5, "bust_out": 1.0, "insider": 1.0}


class Labelled(msgspec.Struct, frozen=True):
    """Events in order of time, and the kind of adversary behind a purchase, by event id; all others are genuine."""

    events: list[AnyEvent]
    frauds: dict[str, str]


def history(seed: int, *, people: int, days: int, start_ms: int) -> Labelled:
    """A shop's events from ``start_ms`` on. The same arguments give the same events."""
    random = Random(f"history {seed}")
    shoppers = [shopper(random, seed, n) for n in range(people)]
    events: list[AnyEvent] = []
    frauds: dict[str, str] = {}
    for who in shoppers:
        for visit in visits(random, who, start_ms, days):
            events += visit
    for kind, attack in KINDS.items():
        for n in range(math.ceil(RATES[kind] * people / 100 * days / 30)):
            at_ms = start_ms + int(random.random() * days * DAY_MS)
            done = attack(random, f"{kind}-{seed}-{n}", random.choice(shoppers), at_ms)
            events += done
            frauds |= {event.event_id: kind for event in done if isinstance(event, Purchase)}
    events.sort(key=lambda event: (event.occurred_at, event.event_id))
    return Labelled(events, frauds)


def _takeover(random: Random, name: str, victim: Shopper, at_ms: int) -> list[AnyEvent]:
    """A stolen or guessed password; dear goods on the victim's stored card, or on another stolen one."""
    known_password = random.random() < 0.4
    country = victim.country if random.random() < 0.4 else random.choice((*COUNTRIES, "US", "BR", "RU"))
    device = f"d-{name}"
    visit = Visit(random, name, victim.user_id, at_ms, Context(device=device, country=country, ip=f"ip-{device}"))
    visit.login(0 if known_password else 2 + int(random.expovariate(1 / 5)), 4)
    card = random.choice(victim.cards) if random.random() < 0.7 else f"c-{name}"
    for _ in range(1 + int(random.expovariate(1 / 1.2))):
        visit.look(int(random.random() * 3), 15)
        if random.random() < 0.5:
            visit.put_into_cart(10)
        visit.buy(victim.usual * random.uniform(2, 8), card)
        visit.wait(600)
    return visit.events


def _fresh_account(random: Random, name: str, at_ms: int) -> Visit:
    device = f"d-{name}"
    context = Context(device=device, country=random.choice(COUNTRIES), ip=f"ip-{device}")
    return Visit(random, name, f"x-{name}", at_ms, context)


def _card_testing(random: Random, name: str, _victim: Shopper, at_ms: int) -> list[AnyEvent]:
    """A fresh account that finds out which of many stolen cards work, with small amounts."""
    visit = _fresh_account(random, name, at_ms)
    visit.login(0, 5)
    for n in range(random.randrange(5, 30)):
        visit.buy(random.uniform(50, 600), f"c-{name}-{n}")
    return visit.events


def _bust_out(random: Random, name: str, _victim: Shopper, at_ms: int) -> list[AnyEvent]:
    """A fresh account that looks like a new customer, and buys as much as it can on one or two stolen cards."""
    visit = _fresh_account(random, name, at_ms)
    visit.login(0, 10)
    for n in range(random.randrange(2, 7)):
        visit.look(1 + int(random.expovariate(1 / 2)), 20)
        visit.put_into_cart(20)
        visit.buy(random.uniform(8_000, 60_000), f"c-{name}-{n % 2}")
        visit.wait(2 * HOUR_MS / 1000)
    return visit.events


def _insider(random: Random, name: str, victim: Shopper, at_ms: int) -> list[AnyEvent]:
    """The victim's own device and card, used by somebody of the household or a remote control: hardly anything to be seen."""
    device = victim.devices[0]
    context = Context(device=device, country=victim.country, ip=f"ip-{device}-{victim.country}")
    visit = Visit(random, name, victim.user_id, at_ms, context)
    visit.look(1 + int(random.expovariate(1 / 3)), 40)
    visit.put_into_cart(40)
    visit.buy(victim.usual * random.uniform(1.5, 3), victim.cards[0])
    return visit.events


KINDS: dict[str, Callable[[Random, str, Shopper, int], list[AnyEvent]]] = {
    "takeover": _takeover,
    "card_testing": _card_testing,
    "bust_out": _bust_out,
    "insider": _insider,
}


def label_lines(labelled: Labelled) -> Iterator[str]:
    """A CSV of every purchase: event_id, fraud (0 or 1), kind (empty for a genuine one)."""
    yield "event_id,fraud,kind\n"
    for event in labelled.events:
        if isinstance(event, Purchase):
            kind = labelled.frauds.get(event.event_id, "")
            yield f"{event.event_id},{int(bool(kind))},{kind}\n"
