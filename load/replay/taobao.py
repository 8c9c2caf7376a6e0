"""The Taobao user-behaviour format (``user,item,category,behavior,unix seconds``; no header) as events.

| behavior | event | why |
|---|---|---|
| pv | product_view | a look at an item's page |
| cart | add_to_cart | one piece: the data has no quantities |
| fav | page_view of ``/favourites/<item>`` | there is no event for favourites; this one touches neither tops nor funnel |
| buy | purchase of one item | the data has no prices: a fixed function of the item, so that revenue can be checked |

The data has no sessions either: a visitor's events belong to one session until a gap of more than 30 minutes, in file order.
Event ids come from the line and its number, so that a second replay of a file sends the same events again, not new ones.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from clickstream.errors import InvalidEvent, Undecodable
from clickstream.events import AddToCart, AnyEvent, Item, PageView, ProductView, Purchase
from clickstream.identifiers import ENTROPY_BITS, uuid7

CURRENCY = "CNY"
SESSION_GAP_S = 30 * 60
#: 2001-09-09. Seconds have had ten digits since then, so a timestamp that lost any digit falls below.
EARLIEST_S = 1_000_000_000
LATEST_S = 4_102_444_800
_FIELDS = ("user", "item", "category", "behavior", "timestamp")


def price(item: int) -> int:
    """Minor units: 1.00 to 999.99, fixed for an item."""
    return 100 + item % 99_900


class _Visit(msgspec.Struct):
    last_s: int
    session: int


class TaobaoParser:
    """One file's parser: keeps each visitor's running session."""

    def __init__(self) -> None:
        self._visits: dict[str, _Visit] = {}

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
        session_id = self._session(user, seconds)
        occurred_at = seconds * 1000
        digest = int.from_bytes(blake2b(b"%d:%b" % (number, line), digest_size=16).digest(), "big")
        event_id = uuid7(occurred_at, digest >> (128 - ENTROPY_BITS))
        if behavior == "pv":
            return ProductView(
                event_id=event_id, user_id=user, session_id=session_id, occurred_at=occurred_at,
                product_id=item, category=category,
            )  # fmt: skip
        if behavior == "cart":
            return AddToCart(
                event_id=event_id, user_id=user, session_id=session_id, occurred_at=occurred_at,
                product_id=item, category=category,
            )  # fmt: skip
        if behavior == "fav":
            return PageView(
                event_id=event_id, user_id=user, session_id=session_id, occurred_at=occurred_at,
                url=f"/favourites/{item}",
            )  # fmt: skip
        amount = price(int(item))
        return Purchase(
            event_id=event_id, user_id=user, session_id=session_id, occurred_at=occurred_at,
            order_id=f"order-{event_id}", amount=amount, currency=CURRENCY,
            items=(Item(product_id=item, category=category, price=amount),),
        )  # fmt: skip

    def _session(self, user: str, seconds: int) -> str:
        visit = self._visits.get(user)
        if visit is None:
            visit = self._visits[user] = _Visit(seconds, 1)
        elif seconds - visit.last_s > SESSION_GAP_S:
            visit.session += 1
        visit.last_s = seconds
        return f"{user}-{visit.session}"
