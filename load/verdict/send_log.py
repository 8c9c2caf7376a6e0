"""What was sent, kept by the sender from the records themselves as it sends them; another process can read it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from clickstream.events import AnyEvent
from clickstream.load.traffic.faults import Emission

#: What was sent with these kinds are events, each for the first time.
EVENTS = ("event", "late", "delayed", "skewed", "old")


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A valid event, when it was sent first; ``sent_ms``: intended, milliseconds since the epoch."""

    sent_ms: int
    event: AnyEvent


class Rejected(msgspec.Struct, frozen=True, array_like=True):
    """A record that is no event: its partition key, the SHA-256 of its bytes, in hex, and where its fault is ("": anywhere)."""

    key: str
    digest: str
    path: str = ""


class SendLog(msgspec.Struct):
    """Entered record by record. With ``keep`` off it only counts, in constant memory."""

    keep: bool = True
    kinds: dict[str, int] = {}
    """Records by kind of fault (``load.traffic.faults.Kind``); oversized ones are counted here but were never accepted."""
    entries: list[Entry] = []
    adversaries: dict[str, str] = {}
    """Event id of a purchase → the kind of adversary behind it."""
    rejected: list[Rejected] = []
    raw: list[Rejected] = []
    """Put straight onto the stream, past the publisher and every door: each is rejected by its readers."""
    next_clicks: dict[str, str] = {}
    """User id → the product that the visitor would look at next."""

    @property
    def events(self) -> int:
        """Valid events, each once."""
        return sum(self.kinds.get(kind, 0) for kind in EVENTS)

    @property
    def malformed(self) -> int:
        return self.kinds.get("malformed", 0)

    @property
    def oversized(self) -> int:
        return self.kinds.get("oversized", 0)

    @property
    def sent(self) -> int:
        """Records, all but the oversized ones, which no publisher may accept."""
        return sum(self.kinds.values()) - self.oversized + len(self.raw)

    def record(self, emission: Emission, sent_ms: int = 0) -> None:
        kind, event = emission.kind, emission.event
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if not self.keep or kind in ("retry", "oversized"):
            return
        if event is None:
            self.rejected.append(Rejected(emission.key, digest(emission.data), emission.path))
            return
        self.entries.append(Entry(sent_ms, event))
        if emission.adversary:
            self.adversaries[event.event_id] = emission.adversary


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def merged(logs: Sequence[SendLog]) -> SendLog:
    """The account of several senders that ran side by side, in order of time."""
    return SendLog(
        keep=all(log.keep for log in logs),
        kinds=_summed(log.kinds for log in logs),
        entries=sorted((entry for log in logs for entry in log.entries), key=lambda entry: entry.sent_ms),
        adversaries={event_id: kind for log in logs for event_id, kind in log.adversaries.items()},
        rejected=[rejected for log in logs for rejected in log.rejected],
        raw=[rejected for log in logs for rejected in log.raw],
        next_clicks={user: product for log in logs for user, product in log.next_clicks.items()},
    )


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in counts:
        for kind, count in each.items():
            total[kind] = total.get(kind, 0) + count
    return total
