"""Simulated visitors: sessions that walk the shop's funnel, as events. Pure and seeded.

The same seed and the same times give byte-identical events: only ``Random.random`` and ``getrandbits`` are used, whose
sequences Python guarantees, with integers and exact arithmetic, and no set's order or clock is looked at. Times come from the
driver, which knows when it will send.
"""

from __future__ import annotations

from random import Random

import msgspec

from clickstream.events import AnyEvent
from clickstream.identifiers import ENTROPY_BITS, uuid7
from load.catalogue import Catalogue
from load.people import person
from load.sessions import Session, chosen


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    """The size of the simulated world."""

    products: int = 2_000
    visitors: int = 50_000
    """How many people there are; a returning one starts a new session."""
    first_visitor: int = 0
    """The number of the first one: generators side by side have people of their own."""
    concurrent: int = 2_000
    """Sessions under way at once; with the rate it gives the time between two events of a session."""


#: Mean time between two events of a session, in seconds.
THINK_S = 4.0
#: How often somebody else is asked to come when the one who was to come is here already.
_ASKED = 4


def shop_for(rate: float) -> Shop:
    """A shop as busy as a rate (events per second) makes it."""
    return Shop(concurrent=max(1, round(rate * THINK_S)))


class Visitors:
    """An endless stream of events of many sessions, interleaved."""

    def __init__(self, seed: int, shop: Shop) -> None:
        # text seeds are hashed by Python itself, the same everywhere
        self._random = Random(f"visitors {seed} {shop.first_visitor}")
        self._shop = shop
        self._catalogue = Catalogue(Random(f"catalogue {seed}"), shop.products)
        self._sessions: list[Session] = []
        self._present: set[int] = set()

    def next_event(self, at_ms: int) -> AnyEvent:
        """What some visitor does at a time (milliseconds since the epoch)."""
        random = self._random
        place = int(random.random() * self._shop.concurrent)
        if place >= len(self._sessions):
            place = len(self._sessions)
            self._sessions.append(self._arrive(at_ms))
        session = self._sessions[place]
        action = chosen(session.standing, random.random())
        if action == "leave":
            self._present.discard(session.person.number)
            session = self._sessions[place] = self._arrive(at_ms)
            action = chosen("arrived", random.random())
        event = session.act(action, at_ms, random)
        if action == "product_view":
            session.want(self._catalogue, random)
        return event

    def next_clicks(self) -> dict[str, str]:
        """By user id, the product that each visitor under way who has seen one will look at next, if at any."""
        return {session.user_id: session.wanted.product_id for session in self._sessions if session.product is not None}

    def _arrive(self, at_ms: int) -> Session:
        random = self._random
        visitors = self._shop.visitors
        for _ in range(_ASKED):
            # the product of two chances: some people come often, most rarely
            number = self._shop.first_visitor + int(random.random() * random.random() * visitors)
            if number not in self._present:
                break
        self._present.add(number)
        who = person(number)
        category = who.category(random.random())
        wanted = self._catalogue.pick_from(category, random)
        return Session(who, uuid7(at_ms, random.getrandbits(ENTROPY_BITS)), who.context(random.random()), category, wanted)
