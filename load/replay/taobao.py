"""The Taobao user-behaviour format (``user,item,category,behavior,unix seconds``; no header) as events.

| behavior | event | why |
|---|---|---|
| pv | product_view | a look at an item's page |
| cart | add_to_cart | one piece: the data has no quantities |
| fav | page_view of ``/favourites/<item>`` | there is no event for favourites; this one touches neither tops nor funnel |
| buy | purchase of one item | the data has no prices: a fixed function of the item, so that revenue can be checked |

The data has neither sessions nor ids of events: see ``load.replay.identity``.
"""

from __future__ import annotations

from clickstream.errors import InvalidEvent, Undecodable
from clickstream.events import AddToCart, AnyEvent, Item, PageView, ProductView, Purchase
from clickstream.load.replay.identity import Sessions, event_id

CURRENCY = "CNY"
#: 2001-09-09. Seconds have had ten digits since then, so a timestamp that lost any digit falls below.
EARLIEST_S = 1_000_000_000
LATEST_S = 4_102_444_800
_FIELDS = ("user", "item", "category", "behavior", "timestamp")


def price(item: int) -> int:
    """Minor units: 1.00 to 999.99, fixed for an item."""
    return 100 + item % 99_900


class TaobaoParser:
    """One file's parser: keeps each visitor's running session."""

    def __init__(self) -> None:
        self._sessions = Sessions()

    def __call__(self, number: int, line: bytes) -> AnyEvent:
        """The event of a line; raises Undecodable or InvalidEvent, the path being the field's name."""
        try:
            fields = line.decode("ascii").split(",")
        except UnicodeDecodeError as error:
            raise Undecodable("not ASCII") from error
        if len(fields) != len(_FIELDS):
            raise Undecodable(f"{len(fields)} fields where {','.join(_FIELDS)} was expected")
        user, item, category, behavior, seconds_text = fields
        for name, value in zip(_FIELDS, fields, strict=True):
            if name != "behavior" and not value.isdigit():
                raise InvalidEvent("not a whole number", name)
        seconds = int(seconds_text)
        if not EARLIEST_S <= seconds < LATEST_S:
            raise InvalidEvent("not a time in seconds since the epoch", "timestamp")
        if behavior not in ("pv", "cart", "fav", "buy"):
            raise InvalidEvent("not one of pv, cart, fav, buy", "behavior")
        return self._event(number, line, user, item, category, behavior, seconds)

    def _event(self, number: int, line: bytes, user: str, item: str, category: str, behavior: str, seconds: int) -> AnyEvent:
        session_id = self._sessions.of(user, seconds)
        occurred_at = seconds * 1000
        name = event_id(number, line, occurred_at)
        if behavior == "pv":
            return ProductView(
                event_id=name, user_id=user, session_id=session_id, occurred_at=occurred_at,
                product_id=item, category=category,
            )  # fmt: skip
        if behavior == "cart":
            return AddToCart(
                event_id=name, user_id=user, session_id=session_id, occurred_at=occurred_at,
                product_id=item, category=category,
            )  # fmt: skip
        if behavior == "fav":
            return PageView(
                event_id=name, user_id=user, session_id=session_id, occurred_at=occurred_at,
                url=f"/favourites/{item}",
            )  # fmt: skip
        amount = price(int(item))
        return Purchase(
            event_id=name, user_id=user, session_id=session_id, occurred_at=occurred_at,
            order_id=f"order-{name}", amount=amount, currency=CURRENCY,
            items=(Item(product_id=item, category=category, price=amount),),
        )  # fmt: skip
