"""What a purchase is, whatever ids a client gave it: who buys which order, for how much. Pure.

Clients make the ids, so one may stand for two purchases, by mistake or by intent. A store keyed by an id keeps the first
purchase under it, and every other one under :func:`reused`, so that neither can pass for the other.
"""

from hashlib import sha256
from typing import Any

import msgspec

from clickstream.events import Purchase

#: So many further purchases under one id are named beside the first; all of them are kept.
MOST_NAMED = 20
#: In the key of a further purchase, and in no id.
SEPARATOR = "\x1f"


class Bought(msgspec.Struct, frozen=True, kw_only=True):
    """What stands of a purchase wherever it is decided on or placed; ``amount`` in minor units."""

    event_id: str
    order_id: str
    user_id: str
    occurred_at: int
    amount: int
    currency: str

    @property
    def purchase(self) -> str:
        return fingerprint(self)


def facts(bought: Bought | Purchase) -> dict[str, Any]:
    """The fields of :class:`Bought`."""
    # written out: every purchase of the stream pays for it
    return {
        "event_id": bought.event_id,
        "order_id": bought.order_id,
        "user_id": bought.user_id,
        "occurred_at": bought.occurred_at,
        "amount": bought.amount,
        "currency": bought.currency,
    }


def fingerprint(bought: Bought | Purchase) -> str:
    """The same for the same content, and for no other."""
    content = (bought.user_id, bought.order_id, bought.amount, bought.currency)
    return sha256(msgspec.json.encode(content)).hexdigest()


def reused(key: str, purchase: str) -> str:
    """The key of a further purchase (its fingerprint) under an id. No id is like it: none has a control character."""
    return f"{key}{SEPARATOR}{purchase}"
