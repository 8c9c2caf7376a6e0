"""Simulated visitors: sessions that walk the shop's funnel, as events. Pure and seeded.

The same seed and the same times give byte-identical events: only ``Random.random`` and ``getrandbits`` are used, whose
sequences Python guarantees, and no set or clock is looked at. Times come from the driver, which knows when it will send.
"""

from __future__ import annotations

from random import Random

import msgspec

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
)  # fmt: skip
from clickstream.identifiers import ENTROPY_BITS, uuid7
from load.catalogue import Catalogue, Product

CURRENCIES = ("EUR", "EUR", "EUR", "USD", "GBP")
_COUNTRIES = ("DE", "FR", "NL", "US", "GB")
_PAGES = ("/", "/deals", "/about", "/account", "/help")


class Shop(msgspec.Struct, frozen=True, kw_only=True):
    """The size of the simulated world."""

    products: int = 2_000
    visitors: int = 50_000
    """How many people there are; a returning one starts a new session."""
    concurrent: int = 2_000
    """Sessions under way at once; with the rate it gives the time between two events of a session."""


#: Mean time between two events of a session, in seconds.
THINK_S = 4.0


def shop_for(rate: float) -> Shop:
    """A shop as busy as a rate (events per second) makes it."""
    return Shop(concurrent=max(1, round(rate * THINK_S)))


#: What a visitor does next, as cumulative chances, by where the session stands; "leave" starts another session in its place.
_STEPS: dict[str, tuple[tuple[float, str], ...]] = {
    "arrived": ((0.45, "page_view"), (0.70, "search"), (0.92, "product_view"), (1.0, "login")),
    "browsing": ((0.12, "page_view"), (0.30, "search"), (0.82, "product_view"), (0.85, "login"), (1.0, "leave")),
    "looking": ((0.40, "product_view"), (0.58, "add_to_cart"), (0.68, "search"), (0.78, "page_view"), (1.0, "leave")),
    "carting": (
        (0.30, "product_view"), (0.38, "add_to_cart"), (0.46, "remove_from_cart"), (0.80, "purchase"), (1.0, "leave"),
    ),
}  # fmt: skip


class _Session:
    __slots__ = ("cart", "context", "currency", "product", "session_id", "standing", "user_id")

    def __init__(self, user_id: str, session_id: str, context: Context, currency: str, product: Product) -> None:
        self.user_id = user_id
        self.session_id = session_id
        self.context = context
        self.currency = currency
        self.product = product
        self.cart: list[tuple[Product, int]] = []
        self.standing = "arrived"


class Visitors:
    """An endless stream of events of many sessions, interleaved."""

    def __init__(self, seed: int, shop: Shop) -> None:
        # text seeds are hashed by Python itself, the same everywhere
        self._random = Random(f"visitors {seed}")
        self._shop = shop
        self._catalogue = Catalogue(Random(f"catalogue {seed}"), shop.products)
        self._sessions: list[_Session] = []

    def next_event(self, at_ms: int) -> AnyEvent:
        """What some visitor does at a time (milliseconds since the epoch)."""
        random = self._random
        place = int(random.random() * self._shop.concurrent)
        if place >= len(self._sessions):
            place = len(self._sessions)
            self._sessions.append(self._arrive(at_ms))
        session = self._sessions[place]
        action = _chosen(session.standing, random.random())
        if action == "leave":
            session = self._sessions[place] = self._arrive(at_ms)
            action = _chosen("arrived", random.random())
        return self._act(session, action, at_ms)

    def _arrive(self, at_ms: int) -> _Session:
        random = self._random
        # squared: some people come often, most rarely
        visitor = int(random.random() ** 2 * self._shop.visitors)
        country = visitor % len(_COUNTRIES)
        context = Context(device=f"d{visitor * 7919 % 1_000_003:06d}", country=_COUNTRIES[country])
        session_id = uuid7(at_ms, random.getrandbits(ENTROPY_BITS))
        return _Session(f"u{visitor:06d}", session_id, context, CURRENCIES[country], self._catalogue.pick(random))

    def _act(self, session: _Session, action: str, at_ms: int) -> AnyEvent:
        random = self._random
        event_id = uuid7(at_ms, random.getrandbits(ENTROPY_BITS))
        user_id, session_id, context = session.user_id, session.session_id, session.context
        if action == "product_view":
            product = session.product = self._catalogue.pick(random)
            session.standing = "carting" if session.cart else "looking"
            return ProductView(
                event_id=event_id, user_id=user_id, session_id=session_id, occurred_at=at_ms, context=context,
                product_id=product.product_id, category=product.category,
            )  # fmt: skip
        if action == "search":
            session.standing = "carting" if session.cart else "browsing"
            return Search(
                event_id=event_id, user_id=user_id, session_id=session_id, occurred_at=at_ms, context=context,
                query=_typed(self._catalogue.pick(random).terms, random.random()),
            )  # fmt: skip
        if action == "add_to_cart":
            product, quantity = session.product, 1 + int(random.random() ** 3 * 3)
            session.cart.append((product, quantity))
            session.standing = "carting"
            return AddToCart(
                event_id=event_id, user_id=user_id, session_id=session_id, occurred_at=at_ms, context=context,
                product_id=product.product_id, category=product.category, quantity=quantity,
            )  # fmt: skip
        if action == "remove_from_cart":
            product, quantity = session.cart.pop(int(random.random() * len(session.cart)))
            session.standing = "carting" if session.cart else "browsing"
            return RemoveFromCart(
                event_id=event_id, user_id=user_id, session_id=session_id, occurred_at=at_ms, context=context,
                product_id=product.product_id, category=product.category, quantity=quantity,
            )  # fmt: skip
        if action == "purchase":
            return self._purchase(session, event_id, at_ms)
        if action == "login":
            session.standing = "carting" if session.cart else "browsing"
            return Login(
                event_id=event_id, user_id=user_id, session_id=session_id, occurred_at=at_ms, context=context,
                success=random.random() < 0.95,
            )  # fmt: skip
        session.standing = "carting" if session.cart else "browsing"
        return PageView(
            event_id=event_id, user_id=user_id, session_id=session_id, occurred_at=at_ms, context=context,
            url=_PAGES[int(random.random() * len(_PAGES))],
        )  # fmt: skip

    def _purchase(self, session: _Session, event_id: str, at_ms: int) -> AnyEvent:
        items = tuple(
            Item(product_id=product.product_id, category=product.category, quantity=quantity, price=product.price)
            for product, quantity in session.cart
        )
        session.cart = []
        session.standing = "browsing"
        return Purchase(
            event_id=event_id, user_id=session.user_id, session_id=session.session_id, occurred_at=at_ms,
            context=session.context, order_id=f"o-{event_id}", items=items,
            amount=sum(item.price * item.quantity for item in items), currency=session.currency,
            payment_fingerprint=f"card-{session.user_id}",
        )  # fmt: skip


def _chosen(standing: str, chance: float) -> str:
    for bound, action in _STEPS[standing]:
        if chance < bound:
            return action
    raise AssertionError(f"the chances of {standing!r} do not reach 1")


def _typed(terms: str, chance: float) -> str:
    """People's spelling of the same search: the platform must count them together."""
    if chance < 0.8:
        return terms
    return terms.title() if chance < 0.9 else f" {terms.replace(' ', '  ')}"
