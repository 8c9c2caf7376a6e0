"""An event at a door of the platform: what its sender may leave to us, and what of it no type declares. Pure."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from clickstream import events, upcasting
from clickstream.errors import InvalidEvent
from clickstream.terminal import shown

#: Of a property's name that is told; nobody means a longer one.
_MOST_CHARACTERS = 64

Fields = dict[str, Any]
Assigned = dict[str, str | int]
"""What the sender left out and the door has set: ``event_id``, ``occurred_at``."""


class Opened(NamedTuple):
    """A document, completed: its bytes and its fields."""

    data: bytes
    fields: Fields
    assigned: Assigned


def opened(document: bytes, new_id: Callable[[], str], now_ms: int) -> Opened:
    """Raises Rejected for what is no JSON object."""
    fields = events.parse(document)
    if not isinstance(fields, dict):
        raise InvalidEvent("an event is a JSON object")
    assigned: Assigned = {}
    if fields.get("event_id") in (None, ""):
        assigned["event_id"] = new_id()
    if fields.get("occurred_at") is None:
        assigned["occurred_at"] = now_ms
    if not assigned:
        return Opened(document, fields, assigned)
    fields |= assigned
    try:
        return Opened(msgspec.json.encode(fields), fields, assigned)
    except UnicodeEncodeError as error:
        raise InvalidEvent("a lone surrogate, which is no character") from error


def undeclared(fields: Fields) -> list[str]:
    """The paths (``$.items[].colour``) of what an event's type, in the event's version, does not declare. Of valid events."""
    fields = upcasting.to_latest(fields)
    own = events.DECLARED.get(fields["type"])
    if own is not None and fields.get("type_version", 1) not in own.kinds:
        fields = own.to_latest(fields)
    kind = _KINDS[fields["type"]] if own is None else own.kinds[fields.get("type_version", 1)]
    found: dict[str, None] = {}
    _in_struct(fields, kind, "$", found)
    return list(found)


_KINDS: dict[str, type[msgspec.Struct]] = {str(kind.__struct_config__.tag): kind for kind in events.EVENT_TYPES}


def _in_struct(value: Fields, kind: type[msgspec.Struct], path: str, found: dict[str, None]) -> None:
    names, parts = _declared(kind)
    if not value.keys() <= names:
        short = (
            name if len(name) <= _MOST_CHARACTERS else f"{name[: _MOST_CHARACTERS - 1]}…" for name in value if name not in names
        )
        found.update((f"{path}.{shown(name)}", None) for name in short)
    for name, part in parts:
        if name in value:
            _within(value[name], part, f"{path}.{name}", found)


def _within(value: Any, kind: inspect.Type, path: str, found: dict[str, None]) -> None:
    if isinstance(kind, inspect.StructType) and isinstance(value, dict):
        _in_struct(value, kind.cls, path, found)
    elif isinstance(kind, inspect.CollectionType) and isinstance(value, list):
        for each in value:
            _within(each, kind.item_type, f"{path}[]", found)
    elif isinstance(kind, inspect.DictType) and isinstance(value, dict):
        for each in value.values():
            _within(each, kind.value_type, f"{path}.*", found)
    elif isinstance(kind, inspect.UnionType):
        for each in kind.types:
            _within(value, each, path, found)


@cache
def _declared(kind: type[msgspec.Struct]) -> tuple[frozenset[str], Sequence[tuple[str, inspect.Type]]]:
    """The names of a struct's fields, and of those that hold others what they hold."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    holding = (inspect.UnionType, inspect.StructType, inspect.DictType, inspect.CollectionType)
    parts = [(field.encode_name, field.type) for field in info.fields if isinstance(field.type, holding)]
    return frozenset(filter(None, [info.tag_field, *(field.encode_name for field in info.fields)])), parts
