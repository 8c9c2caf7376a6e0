"""Those who steal, inside live traffic: sessions that follow a script instead of the funnel. Pure and seeded.

Labels never enter an event: :attr:`Intruder.kind` goes to the ledger beside a purchase's id.
``load.traffic.history.adversaries`` makes the weeks of history that a model trains on: the same kinds, with more time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from random import Random

from clickstream.events import AddToCart, AnyEvent, Context, Item, ProductView, Purchase
from clickstream.identifiers import ENTROPY_BITS, uuid7
from clickstream.load.traffic.shop.catalogue import Catalogue, Product
from clickstream.load.traffic.shop.customers import COUNTRIES, Customer
from clickstream.load.traffic.shop.sessions import Session

Script = Generator[AnyEvent | None, int, None]
"""Is sent a time for each event that it yields; the first ``next`` yields None."""

_ABROAD = ("US", "BR", "RU", "NG", "VN", *COUNTRIES)


class Intruder(Session):
    """One attack. ``person`` is the victim of a take-over, and the cover of all others."""

    __slots__ = ("_catalogue", "_random", "_script", "account", "kind")

    def __init__(self, kind: str, account: str, customer: Customer, catalogue: Catalogue, random: Random, at_ms: int) -> None:
        country = _ABROAD[int(random.random() * len(_ABROAD))]
        context = Context(ip=f"ip-{account}", device=f"d-{account}", country=country)
        session_id = uuid7(at_ms, random.getrandbits(ENTROPY_BITS))
        super().__init__(customer, session_id, context, 0, catalogue.pick(random))
        self.user_id = self.account = account
        self.kind = kind
        self.standing = "attacking"
        self._catalogue = catalogue
        self._random = random
        self._script = KINDS[kind](self)
        next(self._script)

    def next_event(self, at_ms: int) -> AnyEvent | None:
        """What the script does now; None when it is over."""
        try:
            return self._script.send(at_ms)
        except StopIteration:
            return None

    def _id(self, at_ms: int) -> str:
        return uuid7(at_ms, self._random.getrandbits(ENTROPY_BITS))

    def times(self, least: int, most: int) -> range:
        """As many as the random says, both ends included."""
        return range(least + int(self._random.random() * (most - least + 1)))

    def fails_to_log_in(self, at_ms: int) -> AnyEvent:
        return self.log_in(self._id(at_ms), at_ms, success=False)

    def logs_in(self, at_ms: int) -> AnyEvent:
        return self.log_in(self._id(at_ms), at_ms, success=True)

    def looks_at(self, product: Product, at_ms: int) -> AnyEvent:
        return ProductView(
            event_id=self._id(at_ms), user_id=self.user_id, session_id=self.session_id, occurred_at=at_ms,
            context=self.context, product_id=product.product_id, category=product.category,
        )  # fmt: skip

    def puts_into_cart(self, product: Product, quantity: int, at_ms: int) -> AnyEvent:
        return AddToCart(
            event_id=self._id(at_ms), user_id=self.user_id, session_id=self.session_id, occurred_at=at_ms,
            context=self.context, product_id=product.product_id, category=product.category, quantity=quantity,
        )  # fmt: skip

    def pays(self, product: Product, quantity: int, price: int, card: str, at_ms: int) -> AnyEvent:
        event_id = self._id(at_ms)
        item = Item(product_id=product.product_id, category=product.category, quantity=quantity, price=price)
        return Purchase(
            event_id=event_id, user_id=self.user_id, session_id=self.session_id, occurred_at=at_ms, context=self.context,
            order_id=f"o-{event_id}", items=(item,), amount=price * quantity, currency=self.customer.currency,
            payment_fingerprint=card,
        )  # fmt: skip

    def somebody_else(self, number: int, at_ms: int) -> None:
        """Go on as another account."""
        self.user_id = f"{self.account}-{number}"
        self.session_id = uuid7(at_ms, self._random.getrandbits(ENTROPY_BITS))

    def any_product(self) -> Product:
        return self._catalogue.pick(self._random)

    def chance(self) -> float:
        return self._random.random()


def _bot(intruder: Intruder) -> Script:
    """A program that buys out what is in demand: no looking around, order after order."""
    at_ms = yield None
    wanted = intruder.wanted
    at_ms = yield intruder.logs_in(at_ms)
    for _ in intruder.times(8, 20):
        at_ms = yield intruder.puts_into_cart(wanted, 5, at_ms)
        at_ms = yield intruder.pays(wanted, 5, wanted.price, f"card-{intruder.account}", at_ms)


def _card_testing(intruder: Intruder) -> Script:
    """Which of many stolen cards work, found out with small amounts."""
    at_ms = yield None
    at_ms = yield intruder.logs_in(at_ms)
    for number in intruder.times(5, 25):
        price = 50 + int(intruder.chance() * 550)
        at_ms = yield intruder.pays(intruder.any_product(), 1, price, f"card-{intruder.account}-{number}", at_ms)


def _takeover(intruder: Intruder) -> Script:
    """A stolen or guessed password; dear goods on the victim's stored card, from a device never seen."""
    at_ms = yield None
    intruder.user_id = intruder.customer.user_id
    for _ in intruder.times(0, 7):
        at_ms = yield intruder.fails_to_log_in(at_ms)
    at_ms = yield intruder.logs_in(at_ms)
    for _ in intruder.times(1, 3):
        product = intruder.any_product()
        at_ms = yield intruder.looks_at(product, at_ms)
        at_ms = yield intruder.pays(product, 3, product.price * 2, intruder.customer.card(0.0), at_ms)


def _resale(intruder: Intruder) -> Script:
    """A new customer who buys by the dozen, to sell elsewhere; paid with one or two stolen cards."""
    at_ms = yield None
    at_ms = yield intruder.logs_in(at_ms)
    product = intruder.any_product()
    for number in intruder.times(2, 5):
        at_ms = yield intruder.looks_at(product, at_ms)
        quantity = 12 + int(intruder.chance() * 37)
        at_ms = yield intruder.puts_into_cart(product, quantity, at_ms)
        at_ms = yield intruder.pays(product, quantity, product.price, f"card-{intruder.account}-{number % 2}", at_ms)


def _spreading(intruder: Intruder) -> Script:
    """One device and one card behind many accounts, none of which buys often enough to pass a limit."""
    at_ms = yield None
    for number in intruder.times(6, 15):
        intruder.somebody_else(number, at_ms)
        at_ms = yield intruder.logs_in(at_ms)
        product = intruder.any_product()
        at_ms = yield intruder.looks_at(product, at_ms)
        at_ms = yield intruder.pays(product, 2, product.price, f"card-{intruder.account}", at_ms)


KINDS: dict[str, Callable[[Intruder], Script]] = {
    "bot": _bot,
    "card_testing": _card_testing,
    "takeover": _takeover,
    "resale": _resale,
    "spreading": _spreading,
}
NAMES = tuple(KINDS)
