"""An event at a door of the platform: what its sender may leave to us, and what of it is not kept. Pure."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from clickstream import events
from clickstream.errors import InvalidEvent
from clickstream.terminal import shown

#: Of a property's name that is told.
_MOST_CHARACTERS = 64

Fields = dict[str, Any]
Assigned = dict[str, str | int]
"""What the sender left out and the door has set: ``event_id``, ``occurred_at``."""


def opened(document: bytes, new_id: Callable[[], str], now_ms: int) -> tuple[bytes, Fields, Assigned]:
    """A document, completed, and its fields. Raises Rejected for what is no JSON object."""
    fields = events.parse(document)
    if not isinstance(fields, dict):
        raise InvalidEvent("an event is a JSON object")
    assigned: Assigned = {}
    if fields.get("event_id") in (None, ""):
        assigned["event_id"] = new_id()
    if fields.get("occurred_at") is None:
        assigned["occurred_at"] = now_ms
    if not assigned:
        return document, fields, assigned
    fields |= assigned
    try:
        return msgspec.json.encode(fields), fields, assigned
    except UnicodeEncodeError as error:
        raise InvalidEvent("a lone surrogate, which is no character") from error


def not_kept(fields: Fields, event: events.Event) -> list[str]:
    """The paths (``$.items[].colour``) of what the event's type does not declare."""
    return list(dict.fromkeys(_beyond(events.to_latest(fields), msgspec.to_builtins(event, str_keys=True), "$")))


def _beyond(sent: Any, kept: Any, path: str) -> Iterator[str]:
    if isinstance(sent, dict) and isinstance(kept, dict):
        for name, value in sent.items():
            if name not in kept:
                yield f"{path}.{_short(name)}"
            elif isinstance(value, dict | list):
                yield from _beyond(value, kept[name], f"{path}.{_short(name)}")
    elif isinstance(sent, list) and isinstance(kept, tuple | list):
        for one, other in zip(sent, kept, strict=False):  # an event's set may be shorter
            yield from _beyond(one, other, f"{path}[]")


def _short(name: str) -> str:
    return shown(name if len(name) <= _MOST_CHARACTERS else f"{name[: _MOST_CHARACTERS - 1]}…")
