"""What a visitor does, as typed events; the JSON on the wire is exactly these fields.

An event is one JSON object with a ``type``. Unknown fields are ignored, so a newer producer may talk to an older consumer; a
new field must have a default, so an older producer may talk to a newer consumer; a change that a default cannot express
raises the schema version and adds a step to ``clickstream.upcasting``. Money is integer minor units with an ISO 4217 currency;
times are integer milliseconds since the epoch, UTC.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from clickstream import upcasting
from clickstream.errors import InvalidEvent, Undecodable

SCHEMA_VERSION = upcasting.LATEST

#: A Kinesis partition key has 1 to 256 characters, and ``user_id`` is the partition key.
Key = Annotated[str, Meta(min_length=1, max_length=256)]
Name = Annotated[str, Meta(max_length=256)]
Text = Annotated[str, Meta(max_length=2048)]
#: Integer minor units (cents). The bound keeps sums far inside 64 bits.
Money = Annotated[int, Meta(ge=0, le=10**12)]
#: The length as well, since ``$`` also matches before a final newline.
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$", max_length=3)]
Quantity = Annotated[int, Meta(ge=1, le=10_000)]
#: Milliseconds since the epoch; the upper bound is the year 2100.
Millis = Annotated[int, Meta(ge=0, le=4_102_444_800_000)]
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
    """W3C trace context of the span that put a sampled event; Kinesis has no headers to carry it. See docs/telemetry.md."""


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

_decoder = msgspec.json.Decoder(AnyEvent)
_encoder = msgspec.json.Encoder()

encode: Callable[[Event], bytes] = _encoder.encode
"""One event as compact UTF-8 JSON."""


def decode(data: bytes) -> AnyEvent:
    """One event from JSON of any schema version.

    Raises Undecodable when the bytes are not a JSON object, InvalidEvent (with the path) when a field is wrong.
    """
    try:
        event = _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _decode_slowly(data)
    return event if event.schema_version == SCHEMA_VERSION else _decode_slowly(data)


def _decode_slowly(data: bytes) -> AnyEvent:
    """The path of old versions, and of bad input, which gets its reason here."""
    try:
        fields = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Undecodable(f"not JSON: {error}") from error
    return from_builtins(fields)


def from_builtins(fields: Any) -> AnyEvent:
    """One event from parsed JSON; raises InvalidEvent."""
    if not isinstance(fields, dict):
        raise InvalidEvent("an event is a JSON object")
    try:
        event: AnyEvent = msgspec.convert(upcasting.to_latest(fields), AnyEvent)
    except msgspec.ValidationError as error:
        reason, path = split_path(str(error))
        raise InvalidEvent(reason, path) from error
    return event


_PATH = re.compile(r" - at `(.*)`$")


def split_path(message: str) -> tuple[str, str]:
    """msgspec's ``Expected `int`, got `str` - at `$.amount``` as (reason, path)."""
    found = _PATH.search(message)
    return (message[: found.start()], found.group(1)) if found else (message, "$")
