"""From one document to an event fit for the stream, or every reason why it is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import msgspec
from msgspec import UNSET, inspect

from clickstream import events, upcasting
from clickstream.errors import InvalidEvent, Rejected
from clickstream.events import AnyEvent, Event, split_path

MOST_ERRORS = 20
"""Told of one event; a client that gets so many has a deeper problem."""
MOST_CHARACTERS = 256
"""Of an event_id that is given back; a longer one is none."""
MOST_BYTES = events.MOST_EVENT_BYTES - 1_000
"""Of one event. The rest is for what is added behind the door: hashes, the kind of device, a trace, the redriving."""


class Problem(msgspec.Struct, frozen=True):
    """What is wrong, and where (``$.items[0].price``)."""

    path: str
    reason: str


class Refusal(msgspec.Struct, frozen=True):
    """A document that is no event; ``event_id`` as far as it could be read."""

    event_id: str | None
    errors: tuple[Problem, ...]

    @classmethod
    def of(cls, error: Rejected) -> Refusal:
        return cls(None, (Problem(error.path, error.reason),))


def receive(document: bytes, new_id: Callable[[], str], now_ms: int) -> AnyEvent | Refusal:
    """One event of any schema version; without an ``event_id`` it gets a new one. What readers refuse is refused here."""
    if b'"event_id"' in document:
        try:
            return _allowed(events.decode(document), now_ms)
        except Rejected:
            pass  # most likely not valid; all the reasons are found below
    try:
        fields = events.parse(document)
    except Rejected as error:
        return Refusal.of(error)
    if not isinstance(fields, dict):
        return Refusal(None, (Problem("$", "an event is a JSON object"),))
    if fields.get("event_id") in (None, ""):
        fields["event_id"] = new_id()
    try:
        return _allowed(events.from_builtins(fields), now_ms)
    except Rejected as error:
        event_id = fields["event_id"]
        told = event_id if isinstance(event_id, str) and len(event_id) <= MOST_CHARACTERS else None
        return Refusal(told, tuple(_problems_of(fields, error)))


def _allowed(event: AnyEvent, now_ms: int) -> AnyEvent:
    events.admit(event, event.user_id, now_ms)
    if (size := events.size_of(event)) > MOST_BYTES:
        raise InvalidEvent(f"an event of {size:,} bytes; the most is {MOST_BYTES:,}")
    if event.redriven_for is not UNSET:
        # it would hide the event from every other application
        raise InvalidEvent("set by `clickstream dlq redrive` alone", "$.redriven_for")
    return event


def _problems_of(fields: dict[str, Any], first: Rejected) -> list[Problem]:
    """All problems at once where they can be told apart; else the one that stopped the decoder."""
    kind = _kind(fields.get("type"))
    found: list[Problem] = []
    if kind is not None:
        try:
            latest = upcasting.to_latest(fields)
        except InvalidEvent:
            latest = None  # an old version whose fields could not even be brought to the latest names
        if latest is not None:
            problems = _problems(latest, kind, "$")
            found = list(islice(problems, MOST_ERRORS)) or list(islice(_faults(latest, kind), MOST_ERRORS))
    return found or [Problem(first.path, first.reason)]


def _faults(latest: dict[str, Any], kind: type[Event]) -> Iterator[Problem]:
    """Of an event whose fields are of the right types."""
    for reason, path in events.faults(msgspec.convert(latest, kind)):
        yield Problem(path, reason)


_KINDS: dict[str, type[Event]] = {str(kind.__struct_config__.tag): kind for kind in events.EVENT_TYPES}


def _kind(tag: object) -> type[Event] | None:
    return _KINDS.get(tag) if isinstance(tag, str) else None


def _problems(value: object, kind: Any, path: str) -> Iterator[Problem]:
    """Where ``value`` is not of ``kind``: in its parts if there, else as a whole."""
    info = inspect.type_info(kind)
    in_parts = False
    if isinstance(info, inspect.StructType) and isinstance(value, dict):
        for field in msgspec.structs.fields(info.cls):
            if field.encode_name in value:
                parts = _problems(value[field.encode_name], field.type, f"{path}.{field.encode_name}")
            elif field.required:
                parts = iter((Problem(f"{path}.{field.encode_name}", "a required field is missing"),))
            else:
                continue
            for problem in parts:
                in_parts = True
                yield problem
    elif isinstance(info, inspect.VarTupleType) and isinstance(info.item_type, inspect.StructType) and isinstance(value, list):
        for number, part in enumerate(value):
            for problem in _problems(part, info.item_type.cls, f"{path}[{number}]"):
                in_parts = True
                yield problem
    if not in_parts:
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            reason, inner = split_path(str(error))
            yield Problem(path + inner.removeprefix("$"), reason)
