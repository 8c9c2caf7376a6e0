"""What was sent, and what was acknowledged: the truth that the judge goes by."""

from __future__ import annotations

import msgspec


class Sent(msgspec.Struct, kw_only=True):
    """One event; ``number`` counts its user's events in the order in which the user sent them."""

    event_id: str
    user_id: str
    number: int
    kind: str
    minute: int
    product: str
    amount: int
    data: bytes
    acknowledged: bool = False


class Ledger:
    def __init__(self) -> None:
        self.events: dict[str, Sent] = {}
        self.by_data: dict[bytes, Sent] = {}
        self.poison: set[bytes] = set()

    def sent(self, event: Sent) -> None:
        self.events[event.event_id] = event
        self.by_data[event.data] = event
