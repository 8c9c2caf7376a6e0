"""Simulated visitors: sessions that walk the shop's funnel, as events. Pure and seeded.

The same seed and the same times give byte-identical events: only ``Random.random`` and ``getrandbits`` are used, whose
sequences Python guarantees, with integers and exact arithmetic, and no set's order or clock is looked at. Times come from the
driver, which knows when it will send.
"""

from __future__ import annotations

from random import Random

import msgspec

from clickstream.events import AnyEvent, Context, ProductView, Purchase
from clickstream.identifiers import ENTROPY_BITS, uuid7
from clickstream.load.traffic.shop.catalogue import Catalogue
from clickstream.load.traffic.shop.customers import customer
from clickstream.load.traffic.shop.intruders import NAMES, Intruder
from clickstream.load.traffic.shop.sessions import Session, chosen


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    """The size of the simulated world."""

    products: int = 2_000
    visitors: int = 50_000
    """How many people there are; a returning one starts a new session."""
    first_visitor: int = 0
    """The number of the first one: generators side by side have people of their own."""
    concurrent: int = 2_000
    """Sessions under way at once; with the rate it gives the time between two events of a session."""


class Season(msgspec.Struct, frozen=True, kw_only=True):
    """What is special about the time: shares are of 0 to 1, the sale's ends milliseconds since the epoch."""

    attacks: float = 0.0
    """Share of the arriving sessions that are an adversary's; the kinds take turns."""
    hot: float = 0.0
    """Share of all events that one user alone makes, who crawls the catalogue: a hot partition key."""
    sale: float = 0.0
    """While the flash sale lasts, the share of product views that are of the one product on sale."""
    sale_from_ms: int = 0
    sale_to_ms: int = 0


ORDINARY = Season()
_CRAWLER = Context(ip="ip-crawler", device="d-crawler", country="US", referrer="")
#: Mean time between two events of a session, in seconds.
THINK_S = 4.0
#: How often somebody else is asked to come when the one who was to come is here already.
_ASKED = 4
#: The crawler begins a new session after so many pages.
_CRAWL = 200


def shop_for(rate: float) -> Shop:
    """A shop as busy as a rate (events per second) makes it."""
    return Shop(concurrent=max(1, round(rate * THINK_S)))


class Visitors:
    """An endless stream of events of many sessions, interleaved.

    ``adversary`` is the kind of who is behind the last event, if that was a purchase by an adversary; "" otherwise.
    """

    def __init__(self, seed: int, shop: Shop, season: Season = ORDINARY) -> None:
        # text seeds are hashed by Python itself, the same everywhere
        self._random = Random(f"visitors {seed} {shop.first_visitor}")
        self._shop = shop
        self._season = season
        self._catalogue = Catalogue(Random(f"catalogue {seed}"), shop.products)
        self._on_sale = self._catalogue.products[shop.products // 3]
        self._sessions: list[Session] = []
        self._present: set[int] = set()
        self._attacks = 0
        self._crawled = 0
        self._crawl_id = ""
        self.adversary = ""

    def next_event(self, at_ms: int) -> AnyEvent:
        """What some visitor does at a time (milliseconds since the epoch)."""
        random, season = self._random, self._season
        self.adversary = ""
        if season.hot and random.random() < season.hot:
            return self._crawl(at_ms)
        place = int(random.random() * self._shop.concurrent)
        if place >= len(self._sessions):
            place = len(self._sessions)
            self._sessions.append(self._arrive(at_ms))
        session = self._sessions[place]
        while True:
            if isinstance(session, Intruder):
                event = session.next_event(at_ms)
                if event is not None:
                    self.adversary = session.kind if isinstance(event, Purchase) else ""
                    return event
            elif (action := chosen(session.standing, random.random())) != "leave":
                break
            else:
                self._present.discard(session.customer.number)
            session = self._sessions[place] = self._arrive(at_ms)
        event = session.act(action, at_ms, random)
        if action == "product_view":
            session.want(self._catalogue, random)
            if season.sale_from_ms <= at_ms < season.sale_to_ms and random.random() < season.sale:
                session.wanted = self._on_sale
        return event

    def next_clicks(self) -> dict[str, str]:
        """By user id, the product that each visitor under way who has seen one will look at next, if at any."""
        return {session.user_id: session.wanted.product_id for session in self._sessions if session.product is not None}

    def _crawl(self, at_ms: int) -> AnyEvent:
        random, products = self._random, self._catalogue.products
        if self._crawled % _CRAWL == 0:
            self._crawl_id = uuid7(at_ms, random.getrandbits(ENTROPY_BITS))
        product = products[self._crawled % len(products)]
        self._crawled += 1
        return ProductView(
            event_id=uuid7(at_ms, random.getrandbits(ENTROPY_BITS)), user_id=f"crawler-{self._shop.first_visitor}",
            session_id=self._crawl_id, occurred_at=at_ms, context=_CRAWLER,
            product_id=product.product_id, category=product.category,
        )  # fmt: skip

    def _arrive(self, at_ms: int) -> Session:
        random = self._random
        visitors = self._shop.visitors
        if self._season.attacks and random.random() < self._season.attacks:
            account = f"x{self._shop.first_visitor + self._attacks:06d}"
            kind = NAMES[self._attacks % len(NAMES)]
            self._attacks += 1
            victim = customer(self._shop.first_visitor + int(random.random() * visitors))
            return Intruder(kind, account, victim, self._catalogue, random, at_ms)
        for _ in range(_ASKED):
            # the product of two chances: some people come often, most rarely
            number = self._shop.first_visitor + int(random.random() * random.random() * visitors)
            if number not in self._present:
                break
        self._present.add(number)
        who = customer(number)
        category = who.category(random.random())
        wanted = self._catalogue.pick_from(category, random)
        return Session(who, uuid7(at_ms, random.getrandbits(ENTROPY_BITS)), who.context(random.random()), category, wanted)
