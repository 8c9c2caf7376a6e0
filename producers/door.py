"""An event at a door of the platform: what its sender may leave to us, and what of it is not kept. Pure."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from difflib import get_close_matches
from itertools import islice
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import msgspec

from clickstream import events
from clickstream.errors import InvalidEvent
from clickstream.events import AnyEvent
from clickstream.terminal import shown

#: Of a property's name that is told.
_MOST_CHARACTERS = 64
#: Among which one is looked for that was meant; a hostile event may have thousands.
_MOST_NAMES = 100
_ABSENT = "Object missing required field `"

Fields = dict[str, Any]
Assigned = dict[str, str | int]
"""What the sender left out and the door has set: ``event_id``, ``occurred_at``."""


class Entered(NamedTuple):
    """An event, and its document, which stays as it is but for what was ``assigned``."""

    event: AnyEvent
    data: bytes
    assigned: Assigned
    not_kept: tuple[str, ...]
    """The paths (``$.items[].colour``) of what its type does not declare."""


def enter(document: bytes, new_id: Callable[[], str], now_ms: int) -> Entered:
    """An event of any schema version, completed. Raises Rejected for what no reader would take."""
    if is_as_declared(document):
        return Entered(_admitted(document, now_ms), document, {}, ())
    data, fields, assigned = opened(document, new_id, now_ms)
    try:
        event = _admitted(data, now_ms)
    except InvalidEvent as error:
        _, is_absent, name = error.reason.partition(_ABSENT)
        if is_absent and error.path == "$" and (near := like(name[:-1], islice(fields, _MOST_NAMES))):
            raise InvalidEvent(f"{error.reason}: is it {_short(near)}?") from error
        raise
    return Entered(event, data, assigned, not_kept(fields, event))


def like(name: str, names: Iterable[str]) -> str:
    """The one that is spelt nearly like this; "" if none is."""
    return next(iter(get_close_matches(name, names, 1, 0.75)), "")


def _admitted(document: bytes, now_ms: int) -> AnyEvent:
    event = events.decode(document)
    events.admit(event, event.user_id, now_ms)
    return event


def is_as_declared(document: bytes) -> bool:
    """Whether an event is surely complete, with nothing that its type does not declare: most are, and need not be opened."""
    try:
        event = _closed.decode(document)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return bool(event.schema_version == events.SCHEMA_VERSION)


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


def not_kept(fields: Fields, event: events.Event) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_beyond(events.to_latest(fields), msgspec.to_builtins(event, str_keys=True), "$")))


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


def _close(kind: Any) -> Any:
    """The same type, but it refuses what it does not declare, in its parts too. Raises TypeError, RecursionError."""
    if args := get_args(kind):
        closed = tuple(map(_close, args))
        origin: Any = Union if get_origin(kind) is UnionType else get_origin(kind)
        return kind if closed == args else (Annotated if hasattr(kind, "__metadata__") else origin)[closed]
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        if hasattr(kind, "__annotations__"):
            raise TypeError(f"{kind} passes over what it does not declare")
        return kind
    parts = []
    for each in msgspec.structs.fields(kind):
        default: Any = {"default": each.default, "default_factory": each.default_factory}
        parts.append((each.name, _close(each.type), msgspec.field(name=each.encode_name, **default)))
    tag = kind.__struct_config__.tag
    return msgspec.defstruct(kind.__name__, parts, bases=(kind,), tag=tag, kw_only=True, forbid_unknown_fields=True)


def _closable() -> Iterator[type[events.Event]]:
    for kind in events.EVENT_TYPES:
        with suppress(TypeError, RecursionError):
            yield _close(kind)


_closed: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Union[tuple(_closable())])  # noqa: UP007  # of a tuple
