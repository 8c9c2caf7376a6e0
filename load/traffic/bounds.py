"""What a hostile client puts into an event: every field at its bounds, which must count, and beyond them, which must not. Pure.

A case says by its making what must become of it: ``path`` is empty for an event, otherwise it is where a reader, and the door,
must find the fault. The bounds are those of ``clickstream.events``; nothing of its code decides here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import msgspec

from clickstream.events import EARLIEST_MS, MAX_AHEAD_MS, MOST_EVENT_BYTES, MOST_KEY_BYTES

_KEY_CHARACTERS = _NAME_CHARACTERS = 256
_TEXT_CHARACTERS = 2048
_MOST_MONEY, _MOST_PIECES, _MOST_ITEMS = 10**12, 10_000, 500
_LATEST_MS = 4_102_444_800_000  # the year 2100
#: So far from the bound on times that a slow client, or a slow test, does not cross it.
_MARGIN_MS = 2 * 60_000
#: The door adds hashes to an event and needs room for them.
_ROOM_BYTES = 3_000
_HUGE = 300_000
_EMOJI, _ACUTE = "\U0001f600", "e\u0301"

#: Halves of characters, which JSON can write and UTF-8 cannot: then it is no JSON, as if its bytes were wrong.
_HALVES = ("a\ud83d", "a\udc00b", "\ude00\ud83d")

KEYS = ("event_id", "user_id", "session_id", "product_id", "order_id")
CONTROLS = ("\0", "\n", "\r\n", "\x1b[2J\x07", "\x7f", "\x85")
STRANGE = (
    "\"'\\{}", "<script>alert(1)</script>", "\u202egpj.exe", "a\u2028b", "a#b/../c", " ", "ﷺ", _ACUTE, "'; DROP TABLE x;--",
)  # fmt: skip


class Case(msgspec.Struct, frozen=True):
    """Fields to lay over a good document; a value of ``ABSENT`` takes the field away."""

    name: str
    kind: str
    fields: dict[str, Any]
    path: str = ""


ABSENT = object()


class FromNow(int):
    """A time, in milliseconds from when the event is made."""


def filled(tag: str, filler: str, *, characters: int = _KEY_CHARACTERS, most_bytes: int = MOST_KEY_BYTES) -> str:
    """``tag``, which makes it unlike all others, filled up to a bound: that of characters or that of bytes, what is nearer."""
    count = min((characters - len(tag)) // len(filler), (most_bytes - len(tag.encode())) // len(filler.encode()))
    return tag + filler * count


def document(kind: str, name: str, at_ms: int) -> dict[str, Any]:
    """A good event of somebody who does nothing else; ``name`` makes its ids."""
    envelope = {"type": kind, "event_id": name, "user_id": f"u-{name}", "session_id": f"s-{name}", "occurred_at": at_ms}
    match kind:
        case "product_view":
            return envelope | {"product_id": "hostile-product", "category": "hostile"}
        case "add_to_cart":
            return envelope | {"product_id": "hostile-product", "category": "hostile", "quantity": 1}
        case "search":
            return envelope | {"query": "a hostile search"}
        case "purchase":
            items = [{"product_id": "hostile-product", "quantity": 1, "price": 100}]
            return envelope | {"order_id": f"o-{name}", "items": items, "amount": 100, "currency": "EUR"}
    return envelope


def laid_over(case: Case, name: str, at_ms: int) -> dict[str, Any]:
    """The document that a case makes."""
    fields = document(case.kind, name, at_ms) | case.fields
    resolved = {field: at_ms + value if isinstance(value, FromNow) else value for field, value in fields.items()}
    return {field: value for field, value in resolved.items() if value is not ABSENT}


def encoded(fields: dict[str, Any], *, is_ascii: bool = True) -> bytes:
    """As JSON; ``is_ascii`` writes all else as escapes, which is the only way for a lone surrogate."""
    return json.dumps(fields, ensure_ascii=is_ascii).encode()


def cases(name: str) -> Iterator[Case]:
    """All of them; ``name`` is in every id that is filled up, so that no two events share one by accident."""
    for field in KEYS:
        yield from _keys(field, name)
    yield from _texts("url", "page_view", _TEXT_CHARACTERS)
    yield from _texts("query", "search", _TEXT_CHARACTERS)
    yield from _texts("category", "product_view", _NAME_CHARACTERS)
    yield from _texts("payment_fingerprint", "purchase", _NAME_CHARACTERS)
    yield from _numbers("amount", "purchase", 0, _MOST_MONEY)
    yield from _numbers("quantity", "add_to_cart", 1, _MOST_PIECES)
    yield from _times()
    yield from _collections()
    yield from _envelopes()


def _kind_of(field: str) -> str:
    return {"product_id": "product_view", "order_id": "purchase", "query": "search"}.get(field, "page_view")


def _keys(field: str, name: str) -> Iterator[Case]:
    kind, path = _kind_of(field), f"$.{field}"
    for filler in ("x", _EMOJI, _ACUTE):
        yield Case(f"{field} filled with {filler!a}", kind, {field: filled(f"{name}-", filler)})
    for strange in STRANGE:
        yield Case(f"{field} with {strange!a}", kind, {field: f"{name}{strange}"})
    beyond = filled(f"{name}-", _EMOJI) + "xxxx"
    wrong: list[Any] = ["", "x" * (_KEY_CHARACTERS + 1), beyond, "x" * _HUGE, 7, None, [], {}, True]
    wrong += [f"a{control}b" for control in CONTROLS]
    for value in wrong:
        yield Case(f"{field}: {ascii(value)[:24]}", kind, {field: value}, path)
    yield Case(f"no {field}", kind, {field: ABSENT}, "$")


def _texts(field: str, kind: str, characters: int) -> Iterator[Case]:
    for filler in ("x", _EMOJI, _ACUTE, "\0", "\n", "\\"):
        yield Case(f"{field} filled with {filler!a}", kind, {field: "q" + filler * ((characters - 1) // len(filler))})
    for strange in (*CONTROLS, *STRANGE):
        yield Case(f"{field} with {strange!a}", kind, {field: f"a{strange}b"})
    wrong: list[Any] = ["x" * (characters + 1), _EMOJI * (characters + 1), 7, None, []]
    for value in wrong:
        yield Case(f"{field}: {ascii(value)[:24]}", kind, {field: value}, f"$.{field}")


def _numbers(field: str, kind: str, least: int, most: int) -> Iterator[Case]:
    for value in (least, most):
        yield Case(f"{field} {value}", kind, {field: value})
    beyond: list[Any] = [least - 1, most + 1, -(2**63), 2**64, 10**400, 1.5, "1", None, True, []]
    for wrong in beyond:
        yield Case(f"{field}: {ascii(wrong)[:24]}", kind, {field: wrong}, f"$.{field}")


def _times() -> Iterator[Case]:
    for value in (EARLIEST_MS, EARLIEST_MS + 1, 1_000_000_000_000, FromNow(MAX_AHEAD_MS - _MARGIN_MS)):
        yield Case(f"occurred_at {value}", "page_view", {"occurred_at": value})
    ahead, seconds = FromNow(MAX_AHEAD_MS + _MARGIN_MS), 1_796_000_000
    for wrong in (0, 1, seconds, EARLIEST_MS - 1, ahead, _LATEST_MS, _LATEST_MS + 1, -1, 2**63, 10**400, 1e300, "now"):
        yield Case(f"occurred_at: {ascii(wrong)[:24]}", "page_view", {"occurred_at": wrong}, "$.occurred_at")


def _collections() -> Iterator[Case]:
    yield Case("500 items", "purchase", {"items": _items(_MOST_ITEMS, 20)})
    yield Case("as many bytes as an event may have", "purchase", {"items": _items(_MOST_ITEMS - 50, _widest())})
    yield Case("more bytes than an event may have", "purchase", {"items": _items(_MOST_ITEMS, _KEY_CHARACTERS)}, "$")
    for half in _HALVES:
        yield Case(f"a category of {half!a}", "purchase", {"items": [{"product_id": "a", "category": half}]}, "$")
    beyond: list[Any] = [[], _items(_MOST_ITEMS + 1, 1), None, {}, "items"]
    for value in beyond:
        yield Case(f"items: {ascii(value)[:24]}", "purchase", {"items": value}, "$.items")
    for currency in ("eur", "EURO", "EU", "", "EU\n", "EUR\n", "\u20acUR", 978, None):
        yield Case(f"currency: {currency!a}", "purchase", {"currency": currency}, "$.currency")
    yield Case("an item's id with a line break", "purchase", {"items": [{"product_id": "a\nb"}]}, "$.items[0].product_id")
    yield Case("an item's price", "purchase", {"items": [{"product_id": "a", "price": -1}]}, "$.items[0].price")


def _widest() -> int:
    """Characters of an item's id so that 450 of them fill an event."""
    around = len('{"product_id":"","category":"","quantity":1,"price":0},')
    return (MOST_EVENT_BYTES - _ROOM_BYTES) // (_MOST_ITEMS - 50) - around


def _items(count: int, characters: int) -> list[dict[str, Any]]:
    return [{"product_id": f"{n:03d}".ljust(characters, "p")[: max(3, characters)]} for n in range(count)]


def _envelopes() -> Iterator[Case]:
    for name, value in (("empty", {}), ("unknown", {"x": [[[{}]]]}), ("full", {"referrer": _EMOJI * _TEXT_CHARACTERS})):
        yield Case(f"context {name}", "page_view", {"context": value})
    yield Case("unknown fields", "page_view", {"__proto__": {"a": [1] * 99}, "": None, "\0": _EMOJI, "constructor": 1})
    for kind in ("time_travel", "", "x" * _HUGE, "page_view\n", 7, None):
        yield Case(f"type: {ascii(kind)[:24]}", "page_view", {"type": kind}, "$.type")
    for field, half in product((*KEYS, "type", "query"), _HALVES):
        yield Case(f"{field}: {half!a}", _kind_of(field), {field: half}, "$")
    yield Case("no type", "page_view", {"type": ABSENT}, "$")
    for version in (0, -1, 99, 2**64, "2", None, 1.5):
        yield Case(f"schema_version: {version!r}", "page_view", {"schema_version": version}, "$.schema_version")
    for context, path in ((None, ""), ([], ""), ({"ip": "x" * 257}, ".ip"), ({"country": "DEU"}, ".country"),
                          ({"device_kind": "fridge"}, ".device_kind")):  # fmt: skip
        yield Case(f"context: {ascii(context)[:24]}", "page_view", {"context": context}, f"$.context{path}")


#: Bytes that are no JSON object; no line break in them, since the door takes lines.
RUBBISH: tuple[bytes, ...] = (
    b" ", b"null", b"[]", b"17", b'"text"', b"{", b"}" * 99, b"\xff\xfe\x00", bytes(64), b"\xef\xbb\xbf{}", b"\x1f\x8b\x08\x00",
    b"\x28\xb5\x2f\xfd", b'{"type":"page_view"', b'{"a":' * 20_000, b"[" * 100_000, b'{"event_id":"\xed\xa0\x80"}', b"\xc0\x80",
    b'{"amount":1e999}', b'{"amount":NaN}', b"9" * 5_000, b"GET / HTTP/1.1", b"<?xml version='1.0'?>",
)  # fmt: skip
