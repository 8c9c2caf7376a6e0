"""What the parts of the order workflow tell each other. Pure.

A message says which step an order has come to; its attribute ``step`` is what queues filter by. Times are milliseconds since
the epoch, amounts integer minor units.
"""

from collections.abc import Callable
from enum import StrEnum
from hashlib import sha256

import msgspec

from clickstream.purchases import Bought


class Step(StrEnum):
    """Where an order stands. PLACED → RESERVED → CONFIRMED; REJECTED and CANCELLED are ends too."""

    PLACED = "placed"
    RESERVED = "reserved"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    """Something was sold out, nothing is reserved."""
    CANCELLED = "cancelled"
    """By fraud's decision, by a person, or because a step failed for good; what was reserved is available again."""
    REFUSED = "refused"
    """Never placed: its id is that of another order, which it does not touch."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    product_id: str
    quantity: int


class Order(Bought, frozen=True, kw_only=True):
    """``lines``: each product once. ``event_id`` is the purchase that placed it, by which fraud's decision is found."""

    lines: tuple[Line, ...]

    def repeats(self, other: "Order") -> bool:
        """Whether it orders what the other one has ordered: the same user, and the same goods for the same money."""
        return self.purchase == other.purchase and self.lines == other.lines


class Message(msgspec.Struct, frozen=True, kw_only=True):
    step: Step
    order: Order
    reason: str = ""
    """Why it was rejected or cancelled: ``sold out: <product>``, ``fraud``, …"""


def name_of(order_id: str) -> str:
    """An order id (any text, up to 256 characters) as SNS, SQS and Step Functions take it for a name."""
    return sha256(order_id.encode()).hexdigest()


encode: Callable[[Message], bytes] = msgspec.json.Encoder().encode
"""A message's body, JSON."""
