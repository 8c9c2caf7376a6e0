"""What a run sent and what must come out of it, written by the sender from the records themselves."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from clickstream.errors import Missing, UserMistake
from clickstream.events import AddToCart, AnyEvent, ProductView, Purchase, RemoveFromCart, Search
from load.aggregates import Totals, Window
from load.faults import Emission
from load.progress import Counted
from load.verification import Expectation


class WindowTotals(msgspec.Struct, frozen=True):
    window: Window
    totals: Totals


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """A finished run; the file that ``clickstream load verify`` reads."""

    stream: str
    seed: int
    rate: float
    started_ms: int
    """Wall clock at the first intended send time."""
    flushed_ms: int
    sent: int
    put: int
    events: int
    retries: int
    late: int
    malformed: int
    before: Counted
    windows: list[WindowTotals]

    def expectation(self) -> Expectation:
        """What verification compares with. On a stream that was not empty, windows that began before the run are left out."""
        windows = {row.window: row.totals for row in self.windows}
        shared = self.before.records > 0
        return Expectation(
            sent=self.sent,
            put=self.put,
            events=self.events,
            dead_letters=self.malformed,
            windows=windows,
            foreign=frozenset(window for window in windows if shared and window.start_ms < self.started_ms),
            before=self.before,
            flushed_ms=self.flushed_ms,
        )

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


class Book:
    """Keeps what is sent, in order, and adds it up at the end; with ``keep`` off it only counts, in constant memory."""

    def __init__(self, *, keep: bool = True) -> None:
        self._keep = keep
        self._sent: list[AnyEvent] = []
        self.events = 0
        """Valid events, each once."""
        self.retries = 0
        self.late = 0
        self.malformed = 0

    @property
    def sent(self) -> int:
        """Records."""
        return self.events + self.retries + self.malformed

    def enter(self, emission: Emission) -> None:
        if emission.kind == "retry":
            self.retries += 1
        elif emission.event is None:
            self.malformed += 1
        else:
            self.events += 1
            self.late += emission.kind == "late"
            if self._keep:
                self._sent.append(emission.event)

    def windows(self) -> dict[Window, Totals]:
        """The exact aggregates of all events that were kept."""
        if not self._sent:
            return {}
        # pandas costs half a second and 100 MB: only who asks for the truth pays
        from load import frames, oracle

        return oracle.aggregate(frames.frame_of(_rows(self._sent)))


def _rows(events: Iterable[AnyEvent]) -> Iterable[dict[str, Any]]:
    for event in events:
        row: dict[str, Any] = {
            "event_id": event.event_id,
            "type": type(event).__struct_config__.tag,
            "user": event.user_id,
            "session": event.session_id,
            "at": event.occurred_at,
        }
        if isinstance(event, ProductView | AddToCart | RemoveFromCart):
            row |= {"product": event.product_id, "category": event.category}
            row["quantity"] = 0 if isinstance(event, ProductView) else event.quantity
        elif isinstance(event, Search):
            row["query"] = event.query
        elif isinstance(event, Purchase):
            row |= {"amount": event.amount, "currency": event.currency}
            row["basket"] = tuple((item.product_id, item.quantity) for item in event.items)
        yield row
