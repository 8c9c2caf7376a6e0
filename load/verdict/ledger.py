"""The ledger of a finished run: what `clickstream load verify` compares every application's answers with."""

from __future__ import annotations

from pathlib import Path

import msgspec

from clickstream.errors import Missing, UserMistake
from clickstream.load.traffic.plan import Plan
from clickstream.load.verdict.comparers.aggregates import Totals, Window
from clickstream.load.verdict.progress import Counted
from clickstream.load.verdict.send_log import Rejected


class WindowTotals(msgspec.Struct, frozen=True):
    window: Window
    totals: Totals


class Bought(msgspec.Struct, frozen=True, kw_only=True):
    """A purchase that must be decided exactly once; ``adversary`` "" for a genuine one. Times in ms since the epoch."""

    event_id: str
    order_id: str
    user_id: str
    amount: int
    currency: str
    occurred_at: int
    sent_ms: int
    adversary: str = ""


class Visited(msgspec.Struct, frozen=True, kw_only=True):
    """A visitor who must have an offer: products touched in order of the first time; products bought once, with categories.

    What is bought again is used up, and may be offered. ``searched``: in small letters, words apart by one space.
    """

    user_id: str
    sent_ms: int
    """Of the last event about a product, or the last search."""
    touched: list[str]
    searched: list[str]
    bought: dict[str, str]


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """What the collector answered to those who besieged it, beside what it must."""

    asked: int = 0
    stalled: int = 0
    """Connections that were left open in the middle of a request."""
    wrong: list[str] = []


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """A finished run; the file that ``clickstream load verify`` reads."""

    stream: str
    plan: Plan
    started_ms: int
    """Wall clock at the first intended send time."""
    flushed_ms: int
    sent: int
    """Records that must be on the stream."""
    put: int
    """Records that were acknowledged."""
    to_refuse: int
    """Records that must not be accepted at all: too large, and over HTTP all that are no events."""
    refused: int
    events: int
    """Valid events, each once."""
    malformed: int
    """Records on the stream that are no events: each a dead letter of each application."""
    kinds: dict[str, int]
    before: dict[str, Counted]
    """What each application had counted before the run."""
    windows: list[WindowTotals]
    rejected: list[Rejected]
    purchases: list[Bought]
    visitors: list[Visited]
    next_clicks: dict[str, str]
    archived: bytes = b""
    """A fingerprint of each event (``clickstream.load.verdict.comparers.archived``), sorted."""
    epochs: dict[str, int] = {}
    """By application, how often its shards had come to a process before the run."""
    door: Door = Door()
    others: int = 0
    """Events that others have sent since; whoever verifies looks for them."""

    @property
    def began_alone(self) -> bool:
        """Whether the stream was empty before."""
        return not any(counted.records for counted in self.before.values())

    @property
    def is_first(self) -> bool:
        """Whether nothing in any store is somebody else's."""
        return self.began_alone and not self.others

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.encode(self))


def read(path: Path) -> Ledger:
    """Raises Missing or UserMistake."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Ledger)
    except FileNotFoundError as error:
        raise Missing(f"no ledger {path}", hint="`clickstream load run` writes one") from error
    except msgspec.MsgspecError as error:
        raise UserMistake(f"{path} is no ledger: {error}") from error
