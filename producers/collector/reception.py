"""From one document to an event fit for the stream, or every reason why it is none."""

from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, inspect

from clickstream import events
from clickstream.errors import InvalidEvent, Rejected
from clickstream.events import AnyEvent, Event, split_path
from clickstream.producers.collector.answers import EventAnswer, Problem, rejected
from clickstream.producers.door import Entered, enter, opened

MOST_TOLD = 20
"""Errors, or properties that were not kept, of one event; a client that gets so many has a deeper problem."""
MOST_CHARACTERS = 256
"""Of an event_id that is given back; a longer one is none."""
MOST_BYTES = events.MOST_EVENT_BYTES - 1_000
"""Of one event. The rest is for what is added behind the door: hashes, the kind of device, a trace, the redriving."""


def receive(document: bytes, new_id: Callable[[], str], now_ms: int) -> Entered | EventAnswer:
    """One event of any schema version, completed at the door, or the answer that rejects it. What readers refuse is refused
    here."""
    try:
        entered = enter(document, new_id, now_ms)
        _allow(entered.event)
        return entered._replace(not_kept=entered.not_kept[:MOST_TOLD])
    except Rejected as error:
        return _rejected(document, error, new_id, now_ms)


def _allow(event: AnyEvent) -> None:
    if (size := events.size_of(event)) > MOST_BYTES:
        raise InvalidEvent(f"an event of {size:,} bytes; the most is {MOST_BYTES:,}")
    if event.redriven_for is not UNSET:
        # it would hide the event from every other application
        raise InvalidEvent("set by `clickstream dlq redrive` alone", "$.redriven_for")


def _rejected(document: bytes, error: Rejected, new_id: Callable[[], str], now_ms: int) -> EventAnswer:
    try:
        _, fields, assigned = opened(document, new_id, now_ms)
    except Rejected as closed:
        return rejected(closed)
    event_id = None if "event_id" in assigned else fields["event_id"]
    told = event_id if isinstance(event_id, str) and len(event_id) <= MOST_CHARACTERS else None
    return EventAnswer(told, "rejected", tuple(_problems_of(fields, error)))


def _problems_of(fields: dict[str, Any], first: Rejected) -> list[Problem]:
    """All problems at once where they can be told apart; else the one that stopped the decoder."""
    tag = fields.get("type")
    kind = _KINDS.get(tag) if isinstance(tag, str) else None
    found: list[Problem] = []
    if kind is not None:
        try:
            latest = events.to_latest(fields)
        except InvalidEvent:
            latest = None  # an old version whose fields could not even be brought to the latest names
        if latest is not None:
            found = list(islice(_problems(latest, kind, "$"), MOST_TOLD))
            found = found or list(islice(_as_one(latest, kind), MOST_TOLD))
    return found or [Problem(first.path, first.reason)]


_KINDS: dict[str, type[Event]] = {str(kind.__struct_config__.tag): kind for kind in events.EVENT_TYPES}


def _as_one(fields: dict[str, Any], kind: type[Event]) -> Iterator[Problem]:
    """What is wrong though each field is right: a struct may refuse itself in ``__post_init__``."""
    try:
        event: Any = msgspec.convert(fields, kind, str_keys=True)
    except msgspec.ValidationError:
        return  # the decoder's first error says it
    for reason, path in events.faults(event):
        yield Problem(path, reason)


class _Field(NamedTuple):
    name: str
    required: bool
    part: type[msgspec.Struct] | None
    """What it holds, one or a list of them."""
    alone: type[msgspec.Struct]
    """A struct of this field only, as ``value``: msgspec looks once at a struct, but with every call at any other type."""


@cache
def _fields_of(kind: type[msgspec.Struct]) -> tuple[_Field, ...]:
    fields = []
    for field in msgspec.structs.fields(kind):
        info = inspect.type_info(field.type)
        inner = info.item_type if isinstance(info, inspect.VarTupleType) else info
        part = inner.cls if isinstance(inner, inspect.StructType) else None
        alone = msgspec.defstruct("Alone", [("value", field.type)])
        fields.append(_Field(field.encode_name, field.required, part, alone))
    return tuple(fields)


def _problems(value: dict[str, Any], kind: type[msgspec.Struct], path: str) -> Iterator[Problem]:
    """Where ``value`` is not of ``kind``: in the parts of a field if there, else the field as a whole."""
    for field in _fields_of(kind):
        place = f"{path}.{field.name}"
        if field.name in value:
            in_parts = False
            for problem in _in_parts(value[field.name], field.part, place):
                in_parts = True
                yield problem
            if not in_parts:
                yield from _as_a_whole({"value": value[field.name]}, field.alone, place, "$.value")
        elif field.required:
            yield Problem(place, "a required field is missing")


def _in_parts(value: object, part: type[msgspec.Struct] | None, place: str) -> Iterator[Problem]:
    if part is not None and isinstance(value, dict):
        yield from _problems(value, part, place)
    elif part is not None and isinstance(value, list):
        for number, each in enumerate(value):
            here = f"{place}[{number}]"
            yield from _problems(each, part, here) if isinstance(each, dict) else _as_a_whole(each, part, here, "$")


def _as_a_whole(value: object, kind: type[msgspec.Struct], place: str, inside: str) -> Iterator[Problem]:
    """``inside``: the place's own path in ``value``."""
    try:
        msgspec.convert(value, kind, str_keys=True)
    except msgspec.ValidationError as error:
        reason, path = split_path(str(error), place, inside)
        yield Problem(path, reason)
