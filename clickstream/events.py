"""Events on the wire: decoding, the slow path that tells what is wrong, and what no type can say.

Unknown fields are ignored, so a newer producer may talk to an older consumer; a new field must have a default, so an older
producer may talk to a newer consumer; a change that a default cannot express raises the schema version and adds a step to
``clickstream.upcasting``. What a shop declares is read once, when this module is imported; the types stand in ``envelope``.
"""
# ruff: noqa: F405  # mypy sees whether a name of the envelope is there

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, cached_property
from itertools import islice
from math import isinf
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import UnsetType

from clickstream import upcasting
from clickstream.envelope import *  # noqa: F403  # whatever makes an event is also had from here
from clickstream.envelope import is_plain
from clickstream.errors import InvalidEvent, Rejected, Undecodable, UserMistake
from clickstream.schemas import declared

_CONTROL = re.compile(r"[\u0000-\u001f\u007f-\u009f]")

DECLARED = declared.load()
"""Type → what the shop declares of it."""
ADDED: dict[type[Event], type[Event]] = {each.replaces: each.kind for each in DECLARED.values() if each.replaces is not None}
"""One of the seven → its subclass with the properties that the shop has added; events are decoded as that."""
OWN_TYPES: tuple[type[Event], ...] = tuple(each.kind for each in DECLARED.values() if each.replaces is None)
EVENT_TYPES: tuple[type[Event], ...] = (*(ADDED.get(kind, kind) for kind in BUILT_IN), *OWN_TYPES)
KNOWN = tuple(str(kind.__struct_config__.tag) for kind in EVENT_TYPES)
"""What ``type`` may say."""
if TYPE_CHECKING:
    AnyEvent = PageView | ProductView | Search | AddToCart | RemoveFromCart | Purchase | Login
else:
    AnyEvent = Union[EVENT_TYPES]  # noqa: UP007  # of a tuple
_Value = TypeVar("_Value")


def as_decoded(of_types: Mapping[type[Event], _Value]) -> dict[type[Event], _Value]:
    """A table by type, with the subclasses that stand for the seven where a shop has added properties."""
    return {**of_types, **{added: of_types[kind] for kind, added in ADDED.items() if kind in of_types}}


class Envelopes(NamedTuple):
    """The fields that every event has, of several events by column; in the order of ``Event``'s own."""

    event_ids: tuple[str, ...] = ()
    user_ids: tuple[str, ...] = ()
    session_ids: tuple[str, ...] = ()
    occurred_ms: tuple[int, ...] = ()
    schema_versions: tuple[int, ...] = ()
    contexts: tuple[Context, ...] = ()
    redriven_for: tuple[str | UnsetType, ...] = ()


class Events(list[AnyEvent]):
    """Events in their order; they stay as they are once their columns were asked for."""

    @classmethod
    def of(cls, events: Iterable[AnyEvent]) -> "Events":
        return events if isinstance(events, cls) else cls(events)

    @cached_property
    def envelopes(self) -> Envelopes:
        """All columns at once, which takes the time of four that are read one by one."""
        return Envelopes(*islice(zip(*map(msgspec.structs.astuple, self), strict=False), len(Envelopes._fields)))


try:
    _decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(AnyEvent)
except TypeError as error:  # a struct of a package that msgspec cannot tell from the others, or not decode
    raise UserMistake(f"the declared events cannot be decoded: {error}", hint="clickstream schema check") from error
_encoder = msgspec.json.Encoder()

encode: Callable[[Event], bytes] = _encoder.encode
"""One event as compact UTF-8 JSON."""


#: JSON up to this size is under ``MOST_EVENT_BYTES`` also with every default and number written out (1e15 as its digits).
_SURELY_SMALL = MOST_EVENT_BYTES // 8


def decode(data: bytes) -> AnyEvent:
    """One event from JSON of any schema version.

    Raises Undecodable when the bytes are not a JSON object, InvalidEvent (with the path) when a field is wrong.
    """
    try:
        event: AnyEvent = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return from_builtins(parse(data))  # an old version of its own type, or bad input, which gets its reason there
    if event.schema_version != SCHEMA_VERSION:
        return from_builtins(parse(data))
    if not is_plain(data, _SURELY_SMALL):
        _check(event)
    return event


def decode_lines(text: bytes) -> list[AnyEvent] | None:
    """The events of NDJSON, one to each line; None when any line is no event of this version, or blank: decode each alone.

    Half of the time that ``decode`` takes for each.
    """
    lines = text.removesuffix(b"\n").split(b"\n")
    try:
        # not msgspec's own decode_lines: it asks for no line between two documents, and lets one document stretch over lines
        found: list[AnyEvent] = list(map(_decoder.decode, lines))
        if [event.schema_version for event in found].count(SCHEMA_VERSION) != len(found):
            return None
        if max(map(len, lines)) > _SURELY_SMALL or not (text.isascii() and is_plain(text, len(text))):
            for line, event in zip(lines, found, strict=True):
                if not is_plain(line, _SURELY_SMALL):
                    _check(event)
    except (Rejected, msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return found


def _number(text: str) -> float:
    """2.0 is an integer, as JSON Schema has it; beyond 2**53 nobody knows which one was meant."""
    number = float(text)
    if isinf(number):
        raise ValueError("out of range")
    return int(number) if number.is_integer() and abs(number) <= 2**53 else number


_parser: msgspec.json.Decoder[Any] = msgspec.json.Decoder(float_hook=_number)


def parse(data: bytes) -> Any:
    """JSON as it is; raises Undecodable with a reason that quotes nothing of it."""
    try:
        return _parser.decode(data)
    except UnicodeDecodeError as error:
        raise Undecodable("not JSON: not UTF-8") from error
    except RecursionError as error:
        raise Undecodable("not JSON: nested too deeply") from error
    except msgspec.ValidationError as error:  # which only a number's hook can raise here
        raise Undecodable("a number out of range") from error
    except msgspec.MsgspecError as error:
        raise Undecodable(f"not JSON: {error}") from error


def from_builtins(fields: Any) -> AnyEvent:
    """One event from parsed JSON; raises InvalidEvent."""
    if not isinstance(fields, dict):
        raise InvalidEvent("an event is a JSON object")
    try:
        event: AnyEvent = msgspec.convert(to_latest(fields), AnyEvent, str_keys=True)
    except msgspec.ValidationError as error:
        reason, path = split_path(str(error))
        if path == "$.type" and reason == _UNKNOWN:
            reason = f"{_UNKNOWN}: {', '.join(KNOWN)}"
        raise InvalidEvent(reason, path) from error
    _check(event)
    return event


def to_latest(fields: dict[str, Any]) -> dict[str, Any]:
    """An event of any version in the latest, of the platform's schema and of its own type's; raises InvalidEvent."""
    fields = upcasting.to_latest(fields)
    name = fields.get("type")
    own = DECLARED.get(name) if isinstance(name, str) else None
    return fields if own is None else own.to_latest(fields)


def admit(event: AnyEvent, partition_key: str, arrived_ms: int) -> None:
    """What a reader asks of an event beside its own fields; doors ask the same, with their clock. Raises InvalidEvent."""
    if event.user_id != partition_key:
        raise InvalidEvent("the partition key is not the user_id, so the user's order cannot be kept", "$.user_id")
    if event.occurred_at > arrived_ms + MAX_AHEAD_MS:
        raise InvalidEvent("occurred in the future", "$.occurred_at")


def written(event: AnyEvent, now_ms: int) -> bytes:
    """An event that was built in code as bytes that every reader takes; raises InvalidEvent."""
    _check(event)  # first, since not all text can be encoded
    data = encode(event)
    admit(decode(data), event.user_id, now_ms)
    return data


def _check(event: AnyEvent) -> None:
    """Raise the first of an event's ``faults``; quick when there are none."""
    try:
        if is_plain(encode(event), MOST_EVENT_BYTES):
            return
    except UnicodeEncodeError:  # which is one of them
        pass
    for reason, path in faults(event):
        raise InvalidEvent(reason, path)


def size_of(event: Event) -> int:
    """The bytes of an event as ``encode`` writes it; 0 when it holds text that has no UTF-8."""
    try:
        return len(encode(event))
    except UnicodeEncodeError:
        return 0


def faults(event: AnyEvent) -> Iterator[tuple[str, str]]:
    """(reason, path) of everything in an event of the right types that some reader or store would never take."""
    for path, text, is_id in _texts(event, "$"):
        for reason in key_faults(text) if is_id else _text_faults(text):
            yield reason, path
    if (size := size_of(event)) > MOST_EVENT_BYTES:
        yield f"an event of {size:,} bytes; the most is {MOST_EVENT_BYTES:,}", "$"


def key_faults(text: str) -> Iterator[str]:
    """Why a text of the right length can be no id."""
    yield from _text_faults(text)
    if (size := len(text.encode(errors="ignore"))) > MOST_KEY_BYTES:
        yield f"{size} bytes of UTF-8; an id has at most {MOST_KEY_BYTES}"
    if _CONTROL.search(text):
        yield "a control character in an id"


def _text_faults(text: str) -> Iterator[str]:
    try:
        text.encode()
    except UnicodeEncodeError:
        yield "a lone surrogate, which is no character"


def _texts(value: object, path: str, is_id: bool = False) -> Iterator[tuple[str, str, bool]]:
    """(path, text, whether it is an id) of every text in a value."""
    if isinstance(value, str):
        yield path, value, is_id
    elif isinstance(value, tuple | list | set | frozenset):
        for number, part in enumerate(value):
            yield from _texts(part, f"{path}[{number}]", is_id)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _texts(key, f"{path}[...]")
            yield from _texts(part, f"{path}[...]", is_id)
    elif isinstance(value, msgspec.Struct):
        ids = _ids(type(value))
        for name in value.__struct_fields__:
            yield from _texts(getattr(value, name), f"{path}.{name}", name in ids)


@cache
def _ids(kind: type[msgspec.Struct]) -> frozenset[str]:
    """The fields that are ids, or hold some."""
    return frozenset(field.name for field in msgspec.structs.fields(kind) if _is_id(field.type))


def _is_id(kind: Any) -> bool:
    # what a map's values are called is no id
    return kind == Key or any(map(_is_id, get_args(kind)[get_origin(kind) is dict :]))


_UNKNOWN = "not one of the values that are known here"


def split_path(message: str, place: str = "$", inside: str = "$") -> tuple[str, str]:
    """msgspec's ``Expected `int`, got `str` - at `$.amount``` as (reason, path), without input; its ``inside`` is ``place``."""
    reason, separator, path = message.rpartition(" - at `")
    # of a map's key it says "`key` in `$.place`"
    reason, path = (reason, path.removesuffix("`").rpartition("`")[2]) if separator else (message, "$")
    path = place + path.removeprefix(inside)
    if reason.startswith(("Invalid value ", "Invalid enum value ")):
        reason = _UNKNOWN
    elif reason.endswith(f">= {EARLIEST_MS}"):
        reason = "before the year 2000: is it in milliseconds?"
    elif reason.endswith(f"<= {LATEST_MS}"):
        reason = "after the year 2100: is it in milliseconds?"
    elif path == "$.occurred_at" and reason.startswith("Expected `int`"):
        reason = "milliseconds since the epoch, a whole number"
    return reason, path
