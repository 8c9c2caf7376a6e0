"""One visit to the shop: where it stands in the funnel, what is in the cart, and what the visitor wants to see next. Pure."""

from __future__ import annotations

from random import Random

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
from clickstream.load.traffic.shop.catalogue import Catalogue, Product
from clickstream.load.traffic.shop.customers import Customer

_PAGES = ("/", "/deals", "/about", "/account", "/help")

#: What a visitor does next, as cumulative chances, by where the session stands; "leave" starts another session in its place.
STEPS: dict[str, tuple[tuple[float, str], ...]] = {
    "arrived": ((0.45, "page_view"), (0.70, "search"), (0.92, "product_view"), (1.0, "login")),
    "browsing": ((0.12, "page_view"), (0.30, "search"), (0.82, "product_view"), (0.85, "login"), (1.0, "leave")),
    "looking": ((0.52, "product_view"), (0.66, "add_to_cart"), (0.74, "search"), (0.80, "page_view"), (1.0, "leave")),
    "carting": (
        (0.34, "product_view"), (0.42, "add_to_cart"), (0.47, "remove_from_cart"), (0.80, "purchase"), (1.0, "leave"),
    ),
}  # fmt: skip

#: Where the next product comes from, as cumulative chances: what goes with this one, what was looked at before, the same
#: category, what everybody looks at.
_COMPANION, _AGAIN, _SHELF = 0.66, 0.74, 0.92


class Session:
    """``wanted`` is what the visitor will look at next, whenever that comes: fixed as soon as the product before is seen."""

    __slots__ = (
        "before", "cart", "category", "context", "customer", "product", "session_id", "standing", "user_id", "wanted",
    )  # fmt: skip

    def __init__(self, customer: Customer, session_id: str, context: Context, category: int, wanted: Product) -> None:
        self.customer = customer
        self.user_id = customer.user_id
        self.session_id = session_id
        self.context = context
        self.category = category
        self.wanted = wanted
        self.product: Product | None = None
        self.before: Product | None = None
        self.cart: list[tuple[Product, int]] = []
        self.standing = "arrived"

    def want(self, catalogue: Catalogue, random: Random) -> None:
        """Make up the visitor's mind about the next product."""
        chance = random.random()
        product = self.product
        if product is not None and chance < _COMPANION:
            self.wanted = catalogue.companion(product, random)
        elif self.before is not None and chance < _AGAIN:
            self.wanted = self.before
        elif chance < _SHELF:
            self.wanted = catalogue.pick_from(self.category, random)
        else:
            self.wanted = catalogue.pick(random)

    def act(self, action: str, at_ms: int, random: Random) -> AnyEvent:
        """Do it; ``wanted`` is to be made up anew after a product view."""
        event_id = uuid7(at_ms, random.getrandbits(ENTROPY_BITS))
        if action == "product_view":
            self.before = self.product
            product = self.product = self.wanted
            self.standing = "carting" if self.cart else "looking"
            return ProductView(
                event_id=event_id, user_id=self.user_id, session_id=self.session_id, occurred_at=at_ms, context=self.context,
                product_id=product.product_id, category=product.category,
            )  # fmt: skip
        if action == "search":
            self.standing = "carting" if self.cart else "browsing"
            return Search(
                event_id=event_id, user_id=self.user_id, session_id=self.session_id, occurred_at=at_ms, context=self.context,
                query=typed(self.wanted.terms, random.random()),
            )  # fmt: skip
        if action == "page_view":
            self.standing = "carting" if self.cart else "browsing"
            return PageView(
                event_id=event_id, user_id=self.user_id, session_id=self.session_id, occurred_at=at_ms, context=self.context,
                url=_PAGES[int(random.random() * len(_PAGES))],
            )  # fmt: skip
        if action == "add_to_cart":
            product = self.product or self.wanted
            quantity = 1 + int(random.random() * random.random() * random.random() * 3)
            self.cart.append((product, quantity))
            self.standing = "carting"
            return AddToCart(
                event_id=event_id, user_id=self.user_id, session_id=self.session_id, occurred_at=at_ms, context=self.context,
                product_id=product.product_id, category=product.category, quantity=quantity,
            )  # fmt: skip
        if action == "purchase":
            return self.buy(event_id, at_ms, self.customer.card(random.random()))
        if action == "login":
            self.standing = "carting" if self.cart else "browsing"
            return self.log_in(event_id, at_ms, success=random.random() < 0.95)
        product, quantity = self.cart.pop(int(random.random() * len(self.cart)))
        self.standing = "carting" if self.cart else "browsing"
        return RemoveFromCart(
            event_id=event_id, user_id=self.user_id, session_id=self.session_id, occurred_at=at_ms, context=self.context,
            product_id=product.product_id, category=product.category, quantity=quantity,
        )  # fmt: skip

    def log_in(self, event_id: str, at_ms: int, *, success: bool) -> Login:
        return Login(
            event_id=event_id, user_id=self.user_id, session_id=self.session_id, occurred_at=at_ms, context=self.context,
            success=success,
        )  # fmt: skip

    def buy(self, event_id: str, at_ms: int, card: str) -> Purchase:
        """The cart, which is empty afterwards; it must not be before."""
        items = tuple(
            Item(product_id=product.product_id, category=product.category, quantity=quantity, price=product.price)
            for product, quantity in self.cart
        )
        self.cart = []
        self.standing = "browsing"
        return Purchase(
            event_id=event_id, user_id=self.user_id, session_id=self.session_id, occurred_at=at_ms, context=self.context,
            order_id=f"o-{event_id}", items=items, amount=sum(item.price * item.quantity for item in items),
            currency=self.customer.currency, payment_fingerprint=card,
        )  # fmt: skip


def chosen(standing: str, chance: float) -> str:
    for bound, action in STEPS[standing]:
        if chance < bound:
            return action
    raise AssertionError(f"the chances of {standing!r} do not reach 1")


def typed(terms: str, chance: float) -> str:
    """People's spelling of the same search: the platform must count them together."""
    if chance < 0.8:
        return terms
    return terms.title() if chance < 0.9 else f" {terms.replace(' ', '  ')}"
