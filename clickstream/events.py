"""What a visitor does, as typed events; the JSON on the wire is exactly these fields.

An event is one JSON object with a ``type``. Unknown fields are ignored, so a newer producer may talk to an older consumer; a
new field must have a default, so an older producer may talk to a newer consumer; a change that a default cannot express
raises the schema version and adds a step to ``clickstream.upcasting``. Money is integer minor units with an ISO 4217 currency;
times are integer milliseconds since the epoch, UTC.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import islice
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from clickstream import upcasting
from clickstream.errors import InvalidEvent, Rejected, Undecodable

SCHEMA_VERSION = upcasting.LATEST

#: No id may hold a control character: ids are joined into keys, and stand in the subjects of messages.
KEY_PATTERN = r"^[^\u0000-\u001f\u007f-\u009f]*$"
_CONTROL = re.compile(r"[\u0000-\u001f\u007f-\u009f]")
#: A sort key of DynamoDB has 1,024 bytes, and what stands around an id in it needs some of them.
MOST_KEY_BYTES = 512
#: A Kinesis partition key has 1 to 256 characters, and ``user_id`` is the partition key. The decoder, at full speed,
#: checks neither the bytes nor the characters: ``faults`` does.
Key = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=256,
        description=f"At most {MOST_KEY_BYTES} bytes of UTF-8, without control characters.",
        extra_json_schema={"pattern": KEY_PATTERN},
    ),
]
Name = Annotated[str, Meta(max_length=256)]
Text = Annotated[str, Meta(max_length=2048)]
#: Integer minor units (cents). The bound keeps sums far inside 64 bits.
Money = Annotated[int, Meta(ge=0, le=10**12)]
#: The length as well, since ``$`` also matches before a final newline.
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$", max_length=3)]
Quantity = Annotated[int, Meta(ge=1, le=10_000)]
#: The year 2000; what lies before it was seconds, or a clock that had never been set.
EARLIEST_MS = 946_684_800_000
#: A clock this far ahead of the arrival is believed; beyond it the event would move the watermark past its own time.
MAX_AHEAD_MS = 5 * 60_000
#: Milliseconds since the epoch; the upper bound is the year 2100.
Millis = Annotated[
    int,
    Meta(
        ge=EARLIEST_MS,
        le=4_102_444_800_000,
        description=f"Milliseconds since the epoch, at most {MAX_AHEAD_MS // 60_000} minutes after the event's arrival.",
    ),
]
#: An event as ``encode`` writes it. SNS and SQS take 256 KiB and DynamoDB 400 KB of the effect in which an event may stand
#: whole, as JSON within JSON.
MOST_EVENT_BYTES = 100_000
Version = Annotated[int, Meta(ge=1, le=SCHEMA_VERSION)]


#: What a visitor holds in the hand; a closed list, so that nothing personal fits in.
DeviceKind = Literal["phone", "tablet", "desktop", "bot", "other"]


class Context(msgspec.Struct, frozen=True, gc=False):
    """Where an event came from; ``ip`` and ``device`` are keyed hashes, never the thing itself."""

    ip: Name = ""
    device: Name = ""
    country: Annotated[str, Meta(max_length=2)] = ""
    referrer: Text = ""
    device_kind: DeviceKind | UnsetType = UNSET
    traceparent: Name | UnsetType = UNSET
    """W3C trace context of the span that put a sampled event: Kinesis has no headers. See docs/reference/telemetry.md."""


NO_CONTEXT = Context()


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="type"):
    """The envelope that every event has."""

    event_id: Key
    user_id: Key
    session_id: Key
    occurred_at: Millis
    schema_version: Version = SCHEMA_VERSION
    context: Context = NO_CONTEXT
    redriven_for: Name | UnsetType = UNSET
    """The application that had rejected this event and gets it again (``clickstream dlq redrive``); the others pass it over."""


class PageView(Event, frozen=True, kw_only=True, gc=False, tag="page_view"):
    url: Text = ""


class ProductView(Event, frozen=True, kw_only=True, gc=False, tag="product_view"):
    product_id: Key
    category: Name = ""


class Search(Event, frozen=True, kw_only=True, gc=False, tag="search"):
    query: Text


class AddToCart(Event, frozen=True, kw_only=True, gc=False, tag="add_to_cart"):
    product_id: Key
    category: Name = ""
    quantity: Quantity = 1


class RemoveFromCart(Event, frozen=True, kw_only=True, gc=False, tag="remove_from_cart"):
    product_id: Key
    category: Name = ""
    quantity: Quantity = 1


class Item(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of an order; ``price`` is per piece, in the order's currency."""

    product_id: Key
    category: Name = ""
    quantity: Quantity = 1
    price: Money = 0


class Purchase(Event, frozen=True, kw_only=True, gc=False, tag="purchase"):
    order_id: Key
    items: Annotated[tuple[Item, ...], Meta(min_length=1, max_length=500)]
    amount: Money
    currency: Currency
    payment_fingerprint: Name = ""


class Login(Event, frozen=True, kw_only=True, gc=False, tag="login"):
    success: bool = True


AnyEvent = PageView | ProductView | Search | AddToCart | RemoveFromCart | Purchase | Login
EVENT_TYPES: tuple[type[Event], ...] = (PageView, ProductView, Search, AddToCart, RemoveFromCart, Purchase, Login)


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


_decoder = msgspec.json.Decoder(AnyEvent)
_encoder = msgspec.json.Encoder()

encode: Callable[[Event], bytes] = _encoder.encode
"""One event as compact UTF-8 JSON."""


#: JSON up to this size is under ``MOST_EVENT_BYTES`` also with every default written out.
_SURELY_SMALL = MOST_EVENT_BYTES // 4
_BACKSLASH, _DELETE = 0x5C, 0x7F


def decode(data: bytes) -> AnyEvent:
    """One event from JSON of any schema version.

    Raises Undecodable when the bytes are not a JSON object, InvalidEvent (with the path) when a field is wrong.
    """
    try:
        event: AnyEvent = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _decode_slowly(data)
    if event.schema_version != SCHEMA_VERSION:
        return _decode_slowly(data)
    if _is_unusual(data):
        _check(event, measure=len(data) > _SURELY_SMALL)
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
        if max(map(len, lines)) > _SURELY_SMALL or _BACKSLASH in text or _DELETE in text or not text.isascii():
            for line, event in zip(lines, found, strict=True):
                if _is_unusual(line):
                    _check(event, measure=len(line) > _SURELY_SMALL)
    except (Rejected, msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return found


def _is_unusual(data: bytes) -> bool:
    """In plain ASCII characters are bytes, and but for these two none is a control character or stands for one."""
    return _BACKSLASH in data or _DELETE in data or not data.isascii() or len(data) > _SURELY_SMALL


def _decode_slowly(data: bytes) -> AnyEvent:
    """The path of old versions, and of bad input, which gets its reason here."""
    return from_builtins(parse(data))


def parse(data: bytes) -> Any:
    """JSON as it is; raises Undecodable with a reason that quotes nothing of it."""
    try:
        return msgspec.json.decode(data)
    except UnicodeDecodeError as error:
        raise Undecodable("not JSON: not UTF-8") from error
    except RecursionError as error:
        raise Undecodable("not JSON: nested too deeply") from error
    except msgspec.MsgspecError as error:
        raise Undecodable(f"not JSON: {error}") from error


def from_builtins(fields: Any) -> AnyEvent:
    """One event from parsed JSON; raises InvalidEvent."""
    if not isinstance(fields, dict):
        raise InvalidEvent("an event is a JSON object")
    try:
        event: AnyEvent = msgspec.convert(upcasting.to_latest(fields), AnyEvent)
    except msgspec.ValidationError as error:
        reason, path = split_path(str(error))
        raise InvalidEvent(reason, path) from error
    _check(event, measure=True)
    return event


def admit(event: AnyEvent, partition_key: str, arrived_ms: int) -> None:
    """What a reader asks of an event beside its own fields; doors ask the same, with their clock. Raises InvalidEvent."""
    if event.user_id != partition_key:
        raise InvalidEvent("the partition key is not the user_id, so the user's order cannot be kept", "$.user_id")
    if event.occurred_at > arrived_ms + MAX_AHEAD_MS:
        raise InvalidEvent("occurred in the future", "$.occurred_at")


def written(event: AnyEvent, now_ms: int) -> bytes:
    """An event that was built in code as bytes that every reader takes; raises InvalidEvent."""
    _check(event, measure=True)  # first, since not all text can be encoded
    data = encode(event)
    admit(decode(data), event.user_id, now_ms)
    return data


def _check(event: AnyEvent, *, measure: bool) -> None:
    """Raise the first of an event's ``faults``; quick when there are none."""
    keys = _keys(event)
    if not (keys.isascii() and keys.isprintable()) or (measure and not 0 < size_of(event) <= MOST_EVENT_BYTES):
        for reason, path in faults(event):
            raise InvalidEvent(reason, path)


def _keys(event: AnyEvent) -> str:
    keys = f"{event.event_id}{event.user_id}{event.session_id}"
    if isinstance(event, Purchase):
        return f"{keys}{event.order_id}{''.join([item.product_id for item in event.items])}"
    return keys + getattr(event, "product_id", "")


def size_of(event: Event) -> int:
    """The bytes of an event as ``encode`` writes it; 0 when it holds text that has no UTF-8."""
    try:
        return len(encode(event))
    except UnicodeEncodeError:
        return 0


_PARTS: tuple[type[msgspec.Struct], ...] = (*EVENT_TYPES, Item)
_KEY_FIELDS = frozenset(field.name for part in _PARTS for field in msgspec.structs.fields(part) if field.type == Key)


def faults(event: AnyEvent) -> Iterator[tuple[str, str]]:
    """(reason, path) of everything in an event of the right types that some reader or store would never take."""
    for path, text in _texts(event, "$"):
        for reason in key_faults(text) if path.rpartition(".")[2] in _KEY_FIELDS else _text_faults(text):
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


def _texts(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, tuple):
        for number, part in enumerate(value):
            yield from _texts(part, f"{path}[{number}]")
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _texts(getattr(value, name), f"{path}.{name}")


def split_path(message: str) -> tuple[str, str]:
    """msgspec's ``Expected `int`, got `str` - at `$.amount``` as (reason, path), without the input that it may quote."""
    reason, separator, path = message.rpartition(" - at `")
    reason, path = (reason, path.removesuffix("`")) if separator else (message, "$")
    if reason.startswith(("Invalid value ", "Invalid enum value ")):
        reason = "not one of the values that are known here"
    elif reason.endswith(f">= {EARLIEST_MS}"):
        reason = "before the year 2000: is it in milliseconds?"
    return reason, path
