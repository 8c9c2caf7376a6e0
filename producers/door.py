"""An event at a door of the platform: what its sender may leave to us, and what of it no type declares. Pure."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

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


def opened(document: bytes, new_id: Callable[[], str], now_ms: int) -> tuple[Fields, Assigned]:
    """A document's fields, completed, and what of them was assigned. Raises Rejected for what is no JSON object."""
    fields = events.parse(document)
    if not isinstance(fields, dict):
        raise InvalidEvent("an event is a JSON object")
    assigned: Assigned = {}
    if fields.get("event_id") in (None, ""):
        assigned["event_id"] = new_id()
    if fields.get("occurred_at") is None:
        assigned["occurred_at"] = now_ms
    fields |= assigned
    return fields, assigned


def undeclared(fields: Fields) -> list[str]:
    """The paths (``$.items[].colour``) of what an event's type, in the event's version, does not declare. Of valid events."""
    fields = upcasting.to_latest(fields)
    own = events.DECLARED.get(fields["type"])
    if own is not None and fields.get("type_version", 1) not in own.kinds:
        fields = own.to_latest(fields)
    kind = _KINDS[fields["type"]] if own is None else own.kinds[fields.get("type_version", 1)]
    return list(dict.fromkeys(_of_struct(fields, kind, "$")))


_KINDS: dict[str, type[msgspec.Struct]] = {str(kind.__struct_config__.tag): kind for kind in events.EVENT_TYPES}


def _of_struct(value: Fields, kind: type[msgspec.Struct], path: str) -> Iterator[str]:
    names, parts = _declared(kind)
    for name in value:
        if name not in names:
            yield f"{path}.{shown(name if len(name) <= _MOST_CHARACTERS else f'{name[: _MOST_CHARACTERS - 1]}…')}"
    for name, part in parts:
        if name in value:
            yield from _within(value[name], part, f"{path}.{name}")


def _within(value: Any, kind: inspect.Type, path: str) -> Iterator[str]:
    if isinstance(kind, inspect.UnionType):
        for each in kind.types:
            yield from _within(value, each, path)
    elif isinstance(kind, inspect.StructType) and isinstance(value, dict):
        yield from _of_struct(value, kind.cls, path)
    elif isinstance(kind, inspect.DictType) and isinstance(value, dict):
        for each in value.values():
            yield from _within(each, kind.value_type, f"{path}.*")
    elif isinstance(kind, inspect.CollectionType) and isinstance(value, list):
        for each in value:
            yield from _within(each, kind.item_type, f"{path}[]")


@cache
def _declared(kind: type[msgspec.Struct]) -> tuple[frozenset[str], list[tuple[str, inspect.Type]]]:
    """The names of a struct's fields, and of those that hold others what they hold."""
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    holding = (inspect.UnionType, inspect.StructType, inspect.DictType, inspect.CollectionType)
    parts: list[tuple[str, inspect.Type]] = [
        (field.encode_name, field.type) for field in info.fields if isinstance(field.type, holding)
    ]
    return frozenset(filter(None, [info.tag_field, *(field.encode_name for field in info.fields)])), parts
