"""Deliberate faults, each at its own rate: what clients and networks make of a stream of good events. Pure and seeded."""

from __future__ import annotations

import heapq
import json
from collections import deque
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Literal
from zlib import crc32

import msgspec

from clickstream import events
from clickstream.events import AnyEvent

Kind = Literal["event", "late", "delayed", "skewed", "old", "retry", "malformed", "oversized"]

#: A retry repeats one of this many events sent last: seconds ago at most, as clients do.
_RECENT = 200
#: Late by up to this: closed windows must be corrected.
_LATEST_MS = 5 * 60_000
#: A delayed event comes up to this much after the others of its session, which are on the stream before it.
_DELAYED_MS = 5_000
#: Clocks are wrong by a constant: behind by up to the one, ahead by up to the other.
_BEHIND_MS, AHEAD_MS = 10 * 60_000, 20_000
_DAY_MS = 86_400_000
#: More than one Kinesis record holds, which no publisher may accept.
OVERSIZED_BYTES = 1_100_000
#: More than one message of the dead-letter queue holds.
_HUGE_BYTES = 300_000
#: Shares are compared in parts per million of a hash of the user.
_MILLION = 1_000_000


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of all records, 0 to 1; ``skewed`` is a share of all users, whose clocks are wrong."""

    retry: float = 0.01
    late: float = 0.01
    malformed: float = 0.002
    delayed: float = 0.005
    skewed: float = 0.01
    old: float = 0.01
    oversized: float = 0.000_02


NONE = Rates(retry=0, late=0, malformed=0, delayed=0, skewed=0, old=0, oversized=0)


class Emission(msgspec.Struct, frozen=True, gc=False):
    """One record to send: an event under its own key, or (``event`` is None) bytes that are none.

    What is malformed must become a dead letter, what is oversized must not be accepted at all. ``adversary``: the kind of
    who is behind a purchase; "" for a genuine one.
    """

    kind: Kind
    key: str
    data: bytes
    event: AnyEvent | None = None
    adversary: str = ""
    path: str = ""
    """Where a reader must find the fault; "" leaves it open."""


class Faults:
    """Turns a stream of good events into one that a real shop would send."""

    def __init__(self, seed: int, rates: Rates, malformed: Spoilers) -> None:
        self._spoilers = tuple(malformed.values())
        self._random = Random(f"faults {seed}")
        self._rates = rates
        self._recent: deque[AnyEvent] = deque(maxlen=_RECENT)
        self._held: list[tuple[int, int, Emission]] = []
        self._number = 0
        self._skewed = int(rates.skewed * _MILLION)
        self._malformed = rates.malformed
        self._oversized = self._malformed + rates.oversized
        self._late = self._oversized + rates.late
        self._old = self._late + rates.old
        self._delayed = self._old + rates.delayed

    def due(self, at_ms: int) -> Emission | None:
        """An event that was held back until now."""
        if not self._held or self._held[0][0] > at_ms:
            return None
        emission = heapq.heappop(self._held)[2]
        if emission.event is not None:
            self._recent.append(emission.event)
        return emission

    def retry(self) -> Emission | None:
        """With the chance of a retry, an event sent before: the same id, the same bytes; otherwise None."""
        random = self._random
        if random.random() >= self._rates.retry or not self._recent:
            return None
        event = self._recent[int(random.random() * len(self._recent))]
        return Emission("retry", event.user_id, events.encode(event), event)

    def spoil(self, event: AnyEvent, adversary: str, at_ms: int) -> Emission | None:
        """The event as it goes out: mostly as it is, sometimes with a fault; None when it is held back for :meth:`due`."""
        chance = self._random.random()
        kind: Kind = "event"
        if self._skewed and (hashed := crc32(event.user_id.encode())) % _MILLION < self._skewed:
            kind = "skewed"
            wrong = hashed // _MILLION * 997 % (_BEHIND_MS + AHEAD_MS) - _BEHIND_MS
            event = msgspec.structs.replace(event, occurred_at=event.occurred_at + wrong)
        if chance < self._delayed:
            if chance < self._malformed:
                spoil = self._spoilers[int(self._random.random() * len(self._spoilers))]
                return Emission("malformed", *spoil(event, events.encode(event)))
            if chance < self._oversized:
                return Emission("oversized", event.user_id, _with_url(event, OVERSIZED_BYTES))
            if chance < self._late:
                kind = "late"
                event = msgspec.structs.replace(event, occurred_at=event.occurred_at - int(self._random.random() * _LATEST_MS))
            elif chance < self._old:
                self._recent.append(event)
                return Emission("old", event.user_id, _as_version_1(event), event, adversary)
            else:
                self._number += 1
                held = Emission("delayed", event.user_id, events.encode(event), event, adversary)
                heapq.heappush(self._held, (at_ms + int(self._random.random() * _DELAYED_MS), self._number, held))
                return None
        self._recent.append(event)
        return Emission(kind, event.user_id, events.encode(event), event, adversary)


def _as_version_1(event: AnyEvent) -> bytes:
    """What a client of two years ago sends: ``sku``, and amounts as decimal text."""
    fields: dict[str, Any] = msgspec.to_builtins(event) | {"schema_version": 1}
    if "product_id" in fields:
        fields["sku"] = fields.pop("product_id")
    if "amount" in fields:
        fields["amount"] = _decimal(fields["amount"])
        fields["items"] = [_item_of_version_1(item) for item in fields["items"]]
    return json.dumps(fields).encode()


def _item_of_version_1(item: dict[str, Any]) -> dict[str, Any]:
    return {"sku": item["product_id"], "category": item["category"], "quantity": item["quantity"]} | {
        "price": _decimal(item["price"])
    }


def _decimal(minor_units: int) -> str:
    return f"{minor_units // 100}.{minor_units % 100:02d}"


def _with_url(event: AnyEvent, length: int) -> bytes:
    """A page view with an address that is far too long."""
    envelope = {
        "type": "page_view",
        "event_id": event.event_id,
        "user_id": event.user_id,
        "session_id": event.session_id,
        "occurred_at": event.occurred_at,
    }
    return json.dumps(envelope | {"url": "/" + "x" * length}).encode()


def _with(changed: dict[str, Any]) -> Callable[[AnyEvent, bytes], tuple[str, bytes]]:
    def spoil(event: AnyEvent, _encoded: bytes) -> tuple[str, bytes]:
        return event.user_id, json.dumps(msgspec.to_builtins(event) | changed).encode()

    return spoil


Spoilers = Mapping[str, Callable[[AnyEvent, bytes], tuple[str, bytes]]]
"""Name → (an event, its bytes) to (partition key, bytes that are no event)."""

MALFORMED: Spoilers = {
    "not JSON": lambda event, _encoded: (event.user_id, b"\xff\xfe\x00 this was never JSON"),
    "cut": lambda event, encoded: (event.user_id, encoded[: len(encoded) // 2]),
    "deep": lambda event, _encoded: (event.user_id, b'{"type":"page_view","context":' + b"[" * 5_000),
    "NaN": _with({"occurred_at": float("nan")}),
    "unknown type": _with({"type": "time_travel"}),
    "wrong type": _with({"occurred_at": "yesterday"}),
    "no session": _with({"session_id": ""}),
    "unknown version": _with({"schema_version": 99}),
    "long text": lambda event, _encoded: (event.user_id, _with_url(event, 3_000)),
    "huge text": lambda event, _encoded: (event.user_id, _with_url(event, _HUGE_BYTES)),
    "future": lambda event, _encoded: (
        event.user_id,
        events.encode(msgspec.structs.replace(event, occurred_at=event.occurred_at + _DAY_MS)),
    ),
    # a record of its own, as another program puts it: with a line feed our publisher gives it no company
    "foreign key": lambda event, encoded: (f"not-{event.user_id}", encoded + b"\n"),
}
#: Those that a collector sees: it makes the partition key itself.
AT_THE_DOOR: Spoilers = {name: spoil for name, spoil in MALFORMED.items() if name != "foreign key"}
