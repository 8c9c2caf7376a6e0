"""What was sent, and what was acknowledged: the truth that the judge goes by."""

from __future__ import annotations

import msgspec


class Sent(msgspec.Struct, kw_only=True):
    """One event; ``number`` counts its user's events in the order in which the user sent them."""

    event_id: str
    """The client's word: another user may have used it before."""
    user_id: str
    number: int
    kind: str
    minute: int
    product: str
    amount: int
    data: bytes
    refused: bool = False
    """A purchase whose decision can never be stored."""
    acknowledged: bool = False

    @property
    def key(self) -> str:
        """What tells this event from all others."""
        return f"{self.event_id} of {self.user_id}"


class Ledger:
    def __init__(self) -> None:
        self.events: dict[str, Sent] = {}
        self.by_data: dict[bytes, Sent] = {}
        self.poison: dict[bytes, str | None] = {}
        """What ends as a dead letter: wherever it lies, or where this user is at home."""

    def event(self, data: bytes) -> Sent | None:
        """The event that stands in a line, or in a text of blank lines but for one."""
        return self.by_data.get(data.strip())

    def sent(self, event: Sent) -> None:
        self.events[event.key] = event
        self.by_data[event.data] = event
