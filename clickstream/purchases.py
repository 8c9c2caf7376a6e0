"""What a purchase is, whatever ids a client gave it: who buys which order, for how much. Pure.

Clients make the ids, so one may stand for two purchases, by mistake or by intent. A store keyed by an id keeps the first
purchase under it, and every other one under :func:`reused`, so that neither can pass for the other.
"""

from hashlib import sha256
from typing import Protocol

import msgspec


class Bought(Protocol):
    @property
    def user_id(self) -> str: ...
    @property
    def order_id(self) -> str: ...
    @property
    def amount(self) -> int: ...
    @property
    def currency(self) -> str: ...


#: So many further purchases under one id are named beside the first; all of them are kept.
MOST_NAMED = 20


def fingerprint(bought: Bought) -> str:
    """The same for the same content, and for no other."""
    content = (bought.user_id, bought.order_id, bought.amount, bought.currency)
    return sha256(msgspec.json.encode(content)).hexdigest()


def reused(key: str, purchase: str) -> str:
    """The key of a further purchase (its fingerprint) under an id. No id is like it: none has a control character."""
    return f"{key}\x1f{purchase}"
