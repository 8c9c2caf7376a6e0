"""Deliberate faults: client retries, late events and records that are no events, each at its own rate. Pure and seeded."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any, Literal

import msgspec

from clickstream import events
from clickstream.events import AnyEvent

Kind = Literal["event", "late", "retry", "malformed"]

#: A retry repeats one of this many events sent last: seconds ago at most, as clients do.
_RECENT = 200
#: Late by up to this: closed windows must be corrected.
_LATEST_MS = 5 * 60_000
_DAY_MS = 86_400_000


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of all records, 0 to 1."""

    retry: float = 0.01
    late: float = 0.01
    malformed: float = 0.002


class Emission(msgspec.Struct, frozen=True, gc=False):
    """One record to send: an event under its own key, or bytes (``event`` is None) that must become a dead letter."""

    kind: Kind
    key: str
    data: bytes
    event: AnyEvent | None = None


class Faults:
    """Turns a stream of good events into one that a real shop would send."""

    def __init__(self, seed: int, rates: Rates) -> None:
        self._random = Random(f"faults {seed}")
        self._rates = rates
        self._recent: deque[AnyEvent] = deque(maxlen=_RECENT)

    def retry(self) -> Emission | None:
        """With the chance of a retry, an event sent before: the same id, the same bytes; otherwise None."""
        random = self._random
        if random.random() >= self._rates.retry or not self._recent:
            return None
        event = self._recent[int(random.random() * len(self._recent))]
        return Emission("retry", event.user_id, events.encode(event), event)

    def spoil(self, event: AnyEvent) -> Emission:
        """The event as it goes out: mostly as it is, sometimes late, sometimes spoilt."""
        random = self._random
        chance = random.random()
        if chance < self._rates.malformed:
            return _malformed(event, random)
        late = chance < self._rates.malformed + self._rates.late
        if late:
            event = msgspec.structs.replace(event, occurred_at=event.occurred_at - int(random.random() * _LATEST_MS))
        self._recent.append(event)
        return Emission("late" if late else "event", event.user_id, events.encode(event), event)


def _malformed(event: AnyEvent, random: Random) -> Emission:
    fields: dict[str, Any] = msgspec.to_builtins(event)
    spoil = list(MALFORMED.values())[int(random.random() * len(MALFORMED))]
    key, data = spoil(fields, events.encode(event))
    return Emission("malformed", key, data)


def _with(changed: dict[str, Any]) -> Callable[[dict[str, Any], bytes], tuple[str, bytes]]:
    return lambda fields, _encoded: (fields["user_id"], json.dumps(fields | changed).encode())


#: Name → (the event's fields, its bytes) to (partition key, bytes that are no event).
MALFORMED: dict[str, Callable[[dict[str, Any], bytes], tuple[str, bytes]]] = {
    "not JSON": lambda fields, _encoded: (fields["user_id"], b"\xff\xfe\x00 this was never JSON"),
    "cut": lambda fields, encoded: (fields["user_id"], encoded[: len(encoded) // 2]),
    "deep": lambda fields, _encoded: (fields["user_id"], b'{"type":"page_view","context":' + b"[" * 5_000),
    "NaN": _with({"occurred_at": float("nan")}),
    "unknown type": _with({"type": "time_travel"}),
    "wrong type": _with({"occurred_at": "yesterday"}),
    "no session": _with({"session_id": ""}),
    "future": lambda fields, _encoded: (
        fields["user_id"],
        json.dumps(fields | {"occurred_at": fields["occurred_at"] + _DAY_MS}).encode(),
    ),
    "foreign key": lambda fields, encoded: (f"not-{fields['user_id']}", encoded),
}
