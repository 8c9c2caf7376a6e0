"""What every event is made of, and the seven types that everybody has. Public: a shop's own structs are made of the same.

An event is one JSON object with a ``type``; its JSON is exactly these fields. Money is integer minor units with an ISO 4217
currency; times are integer milliseconds since the epoch, UTC. See docs/reference/own-events.md.
"""

import re
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from clickstream import upcasting

__all__ = [
    "BUILT_IN", "EARLIEST_MS", "KEY_PATTERN", "LATEST_MS", "MAX_AHEAD_MS", "MOST_EVENT_BYTES", "MOST_KEY_BYTES", "NO_CONTEXT",
    "SCHEMA_VERSION", "AddToCart", "Context", "Currency", "DeviceKind", "Event", "Item", "Key", "Login", "Millis",
    "Money", "Name", "PageView", "ProductView", "Purchase", "Quantity", "RemoveFromCart", "Search", "Text", "Version",
]  # fmt: skip

SCHEMA_VERSION = upcasting.LATEST

#: No id may hold a control character: ids are joined into keys, and stand in the subjects of messages.
KEY_PATTERN = r"^[^\u0000-\u001f\u007f-\u009f]*$"
#: A sort key of DynamoDB has 1,024 bytes, and what stands around an id in it needs some of them.
MOST_KEY_BYTES = 512
#: A Kinesis partition key has 1 to 256 characters, and ``user_id`` is the partition key. The decoder, at full speed,
#: checks neither the bytes nor the characters: ``clickstream.events.faults`` does.
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
#: The year 2100.
LATEST_MS = 4_102_444_800_000
#: A clock this far ahead of the arrival is believed; beyond it the event would move the watermark past its own time.
MAX_AHEAD_MS = 5 * 60_000
#: Milliseconds since the epoch.
Millis = Annotated[
    int,
    Meta(
        ge=EARLIEST_MS,
        le=LATEST_MS,
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

    @property
    def type(self) -> str:
        """What it is called on the wire: ``page_view``."""
        return str(self.__struct_config__.tag)


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


BUILT_IN: tuple[type[Event], ...] = (PageView, ProductView, Search, AddToCart, RemoveFromCart, Purchase, Login)


_BACKSLASH, _DELETE = 0x5C, 0x7F
#: How JSON may have a control character. Two patterns, since one that begins with a literal is found four times as fast.
_ESCAPED, _IN_UTF8 = re.compile(rb"\\[bfnrtu]"), re.compile(rb"\xc2[\x80-\x9f]")


def is_plain(data: bytes, most_bytes: int) -> bool:
    """Whether an event's JSON surely has no ``faults``: no control character, and no text that is too long for an id."""
    if len(data) > most_bytes or _DELETE in data or (_BACKSLASH in data and _ESCAPED.search(data)):
        return False
    if data.isascii():
        return True
    if 0xC2 in data and _IN_UTF8.search(data):  # the letters of most languages begin with another byte
        return False
    return len(data) <= MOST_KEY_BYTES or (_BACKSLASH not in data and max(map(len, data.split(b'"'))) <= MOST_KEY_BYTES)
