"""Events on the wire: golden bytes of every type and version, and every way to be wrong with its place."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from clickstream.errors import InvalidEvent, Rejected, Undecodable
from clickstream.events import (
    EVENT_TYPES,
    AddToCart,
    AnyEvent,
    Context,
    Envelopes,
    Event,
    Events,
    Item,
    Login,
    PageView,
    ProductView,
    Purchase,
    RemoveFromCart,
    Search,
    decode,
    encode,
    from_builtins,
)

ENVELOPE: dict[str, Any] = {
    "event_id": "0191a2b3-0000-7000-8000-000000000001",
    "user_id": "u-7",
    "session_id": "s-9",
    "occurred_at": 1_700_000_000_123,
}
CONTEXT = Context(ip="a1", device="b2", country="SE", referrer="https://example.com/")
HEAD = (
    b'"event_id":"0191a2b3-0000-7000-8000-000000000001","user_id":"u-7","session_id":"s-9",'
    b'"occurred_at":1700000000123,"schema_version":%d,'
    b'"context":{"ip":"a1","device":"b2","country":"SE","referrer":"https://example.com/"}'
)

GOLDEN_2: list[tuple[AnyEvent, bytes]] = [
    (
        PageView(**ENVELOPE, context=CONTEXT, url="/checkout"),
        b'{"type":"page_view",' + HEAD % 2 + b',"url":"/checkout"}',
    ),
    (
        ProductView(**ENVELOPE, context=CONTEXT, product_id="p-1", category="shoes"),
        b'{"type":"product_view",' + HEAD % 2 + b',"product_id":"p-1","category":"shoes"}',
    ),
    (
        Search(**ENVELOPE, context=CONTEXT, query="röda skor"),
        b'{"type":"search",' + HEAD % 2 + b',"query":"r\xc3\xb6da skor"}',
    ),
    (
        AddToCart(**ENVELOPE, context=CONTEXT, product_id="p-1", category="shoes", quantity=2),
        b'{"type":"add_to_cart",' + HEAD % 2 + b',"product_id":"p-1","category":"shoes","quantity":2}',
    ),
    (
        RemoveFromCart(**ENVELOPE, context=CONTEXT, product_id="p-1", category="shoes"),
        b'{"type":"remove_from_cart",' + HEAD % 2 + b',"product_id":"p-1","category":"shoes","quantity":1}',
    ),
    (
        Purchase(
            **ENVELOPE,
            context=CONTEXT,
            order_id="o-3",
            items=(Item(product_id="p-1", category="shoes", quantity=2, price=4950), Item(product_id="p-2", price=99)),
            amount=9999,
            currency="EUR",
            payment_fingerprint="f-1",
        ),
        b'{"type":"purchase",' + HEAD % 2 + b',"order_id":"o-3","items":['
        b'{"product_id":"p-1","category":"shoes","quantity":2,"price":4950},'
        b'{"product_id":"p-2","category":"","quantity":1,"price":99}],'
        b'"amount":9999,"currency":"EUR","payment_fingerprint":"f-1"}',
    ),
    (Login(**ENVELOPE, context=CONTEXT, success=False), b'{"type":"login",' + HEAD % 2 + b',"success":false}'),
]

#: what a version 1 producer sent for the same seven events
GOLDEN_1: list[bytes] = [
    b'{"type":"page_view",' + HEAD % 1 + b',"url":"/checkout"}',
    b'{"type":"product_view",' + HEAD % 1 + b',"sku":"p-1","category":"shoes"}',
    b'{"type":"search",' + HEAD % 1 + b',"query":"r\\u00f6da skor"}',
    b'{"type":"add_to_cart",' + HEAD % 1 + b',"sku":"p-1","category":"shoes","quantity":2}',
    b'{"type":"remove_from_cart",' + HEAD % 1 + b',"sku":"p-1","category":"shoes","quantity":1}',
    b'{"type":"purchase",' + HEAD % 1 + b',"order_id":"o-3","items":['
    b'{"sku":"p-1","category":"shoes","quantity":2,"price":"49.50"},{"sku":"p-2","price":"0.99"}],'
    b'"amount":"99.99","currency":"EUR","payment_fingerprint":"f-1"}',
    b'{"type":"login",' + HEAD % 1 + b',"success":false}',
]


def test_every_type_has_golden_bytes() -> None:
    assert [type(event) for event, _ in GOLDEN_2] == list(EVENT_TYPES)
    assert len(GOLDEN_1) == len(EVENT_TYPES)


@pytest.mark.parametrize(("event", "data"), GOLDEN_2, ids=lambda value: type(value).__name__)
def test_the_latest_version_is_these_bytes_both_ways(event: AnyEvent, data: bytes) -> None:
    assert encode(event) == data
    assert decode(data) == event


@pytest.mark.parametrize(
    ("data", "event"),
    list(zip(GOLDEN_1, [event for event, _ in GOLDEN_2], strict=True)),
    ids=lambda value: type(value).__name__,
)
def test_version_1_decodes_to_the_same_events(data: bytes, event: AnyEvent) -> None:
    assert decode(data) == event


def _event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, **ENVELOPE, **fields}


def _purchase(**fields: Any) -> dict[str, Any]:
    valid = {"order_id": "o", "items": [{"product_id": "p"}], "amount": 1, "currency": "EUR"}
    return _event("purchase", **{**valid, **fields})


def _purchase_1(amount: object = "1", currency: str = "EUR", **item: Any) -> dict[str, Any]:
    return _event("purchase", order_id="o", currency=currency, amount=amount, items=[{"sku": "p", **item}], schema_version=1)


@pytest.mark.parametrize(
    ("text", "currency", "minor_units"),
    [
        ("12.34", "EUR", 1234),
        ("12.3", "EUR", 1230),
        ("12", "EUR", 1200),
        ("12.340", "EUR", 1234),
        ("0", "EUR", 0),
        ("1200", "JPY", 1200),
        ("1.234", "KWD", 1234),
        ("10000000000.00", "EUR", 10**12),
    ],
)
def test_version_1_amounts_become_minor_units(text: str, currency: str, minor_units: int) -> None:
    event = from_builtins(_purchase_1(text, currency, price=text))
    assert isinstance(event, Purchase)
    assert (event.amount, event.items[0].price) == (minor_units, minor_units)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        (_purchase_1("12.345"), "$.amount"),
        (_purchase_1("12.5", "JPY"), "$.amount"),
        (_purchase_1("1e999999"), "$.amount"),
        (_purchase_1("1e2"), "$.amount"),
        (_purchase_1("NaN"), "$.amount"),
        (_purchase_1("Infinity"), "$.amount"),
        (_purchase_1(" 1 "), "$.amount"),
        (_purchase_1("1_000"), "$.amount"),
        (_purchase_1("١٢"), "$.amount"),
        (_purchase_1("-1"), "$.amount"),
        (_purchase_1("9" * 15), "$.amount"),
        (_purchase_1("9" * 10_000), "$.amount"),
        (_purchase_1(12), "$.amount"),
        (_purchase_1(12.34), "$.amount"),
        (_purchase_1(None), "$.amount"),
        (_purchase_1("1", price="x"), "$.items[0].price"),
        (_purchase_1("1", price=5), "$.items[0].price"),
        ({**_purchase_1("1"), "items": 5}, "$.items"),
        ({**_purchase_1("1"), "items": [5]}, "$.items[0]"),
        ({key: value for key, value in _purchase_1().items() if key != "amount"}, "$"),
        (_event("product_view", sku="p", schema_version=True), "$.schema_version"),
        (_event("product_view", sku="p", schema_version=1.5), "$.schema_version"),
        (_event("product_view", sku=5, schema_version=1), "$.product_id"),
    ],
)
def test_what_version_1_never_sent_is_refused_with_its_place(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidEvent) as caught:
        decode(msgspec.json.encode(fields))
    assert caught.value.path == path


VALID = GOLDEN_2[0][1]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\x00\xff",
        VALID[:-1],
        VALID + b"x",
        b"\xef\xbb\xbf" + VALID,
        VALID.replace(b"1700000000123", b"NaN"),
        VALID.replace(b"1700000000123", b"Infinity"),
        VALID.replace(b"1700000000123", b"1" * 5000),
        b"[" * 100_000,
        VALID[:-1] + b',"x":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        VALID.replace(b"/checkout", b"\\ud800"),
        VALID.replace(b"u-7", b"\\udfff"),
        VALID.replace(b"/checkout", b"\xed\xa0\x80"),
        VALID.replace(b"/checkout", b"\xe9"),
        (b'{"type":"page_view",' + HEAD % 1 + b',"url":"\xe9"}'),
    ],
    ids=[
        "empty",
        "text",
        "binary",
        "truncated",
        "trailing",
        "byte order mark",
        "NaN",
        "Infinity",
        "endless integer",
        "deep",
        "deep in an unknown field",
        "lone surrogate",
        "lone low surrogate in a key",
        "surrogate as UTF-8",
        "latin-1",
        "latin-1 in version 1",
    ],
)
def test_bytes_that_are_not_json_are_undecodable(data: bytes) -> None:
    with pytest.raises(Undecodable) as caught:
        decode(data)
    assert caught.value.path == "$"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b'{"a":[{"b":1e400}]}', b"-1e400"])
def test_a_number_out_of_range_is_called_so(data: bytes) -> None:
    with pytest.raises(Undecodable, match=r"^a number out of range$"):
        decode(data)


@pytest.mark.parametrize(
    ("fields", "path", "reason"),
    [
        ([], "$", "an event is a JSON object"),
        (None, "$", "an event is a JSON object"),
        ("page_view", "$", "an event is a JSON object"),
        ({}, "$", "missing required field `type`"),
        (_event("refund"), "$.type", "not one of the values"),
        ({**ENVELOPE, "type": 5}, "$.type", "Expected `str`, got `int`"),
        ({"type": "page_view"}, "$", "missing required field `event_id`"),
        (_event("search"), "$", "missing required field `query`"),
        (_purchase(items=[{}]), "$.items[0]", "`product_id`"),
        (_event("page_view", occurred_at="5"), "$.occurred_at", "milliseconds since the epoch, a whole"),
        (_event("page_view", occurred_at=5.5), "$.occurred_at", "milliseconds since the epoch, a whole"),
        (_event("page_view", occurred_at=True), "$.occurred_at", "milliseconds since the epoch, a whole"),
        (_event("page_view", occurred_at=-1), "$.occurred_at", "milliseconds?"),
        (_event("page_view", occurred_at=4_102_444_800_001), "$.occurred_at", "is it in milliseconds?"),
        (_event("page_view", user_id=""), "$.user_id", "length >= 1"),
        (_event("page_view", user_id="u" * 257), "$.user_id", "length <= 256"),
        (_event("page_view", user_id=None), "$.user_id", "Expected `str`, got `null`"),
        (_event("page_view", schema_version=0), "$.schema_version", ">= 1"),
        (_event("page_view", schema_version=3), "$.schema_version", "<= 2"),
        (_event("page_view", schema_version="2"), "$.schema_version", "got `str`"),
        (_event("page_view", schema_version=[]), "$.schema_version", "got `array`"),
        (_event("page_view", context={"country": 5}), "$.context.country", "Expected `str`"),
        (_event("page_view", context="SE"), "$.context", "Expected `object`"),
        (_event("add_to_cart", product_id="p", quantity=0), "$.quantity", ">= 1"),
        (_event("login", success="yes"), "$.success", "Expected `bool`"),
        (_purchase(items=[]), "$.items", "length >= 1"),
        (_purchase(amount=1.5), "$.amount", "got `float`"),
        (_purchase(currency="eur"), "$.currency", "regex"),
        (
            _purchase(currency="EUR\n"),
            "$.currency",
            "length <= 3",
        ),
        (
            _event(
                "purchase",
                order_id="o",
                items=[{"product_id": "p"}, {"product_id": "q", "price": -1}],
                amount=1,
                currency="EUR",
            ),
            "$.items[1].price",
            ">= 0",
        ),
    ],
)
def test_json_that_is_no_event_is_refused_with_its_place(fields: object, path: str, reason: str) -> None:
    with pytest.raises(InvalidEvent) as caught:
        decode(msgspec.json.encode(fields))
    assert caught.value.path == path
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    ("written", "field", "value"),
    [
        ('"occurred_at":1796010950305.0', "occurred_at", 1_796_010_950_305),
        ('"occurred_at":1.796010950305e+12', "occurred_at", 1_796_010_950_305),
        ('"quantity":2.0', "quantity", 2),
        ('"quantity":20E-1', "quantity", 2),
    ],
)
def test_an_integer_may_be_written_as_json_schema_lets_it(written: str, field: str, value: int) -> None:
    fields = {"type": "add_to_cart", **ENVELOPE, "product_id": "p"}
    fields.pop(field, None)
    found = getattr(decode(msgspec.json.encode(fields)[:-1] + f",{written}}}".encode()), field)
    assert (found, type(found)) == (value, int)


@pytest.mark.parametrize("written", ["2.5", "1e16", "9007199254740994.0", "1e400", "-1e400", '"2"', "true"])
def test_what_is_no_integer_stays_refused(written: str) -> None:
    fields = msgspec.json.encode({"type": "add_to_cart", **ENVELOPE, "product_id": "p"})[:-1]
    with pytest.raises(Rejected):
        decode(fields + f',"quantity":{written}}}'.encode())


def test_unknown_fields_are_ignored() -> None:
    assert decode(VALID[:-1] + b',"tomorrow":{"a":[1,2]}}') == GOLDEN_2[0][0]


def test_left_out_fields_have_their_defaults() -> None:
    event = decode(msgspec.json.encode(_event("page_view")))
    assert event == PageView(**ENVELOPE, schema_version=2, context=Context(), url="")


def test_every_refusal_is_one_kind_of_error() -> None:
    assert issubclass(Undecodable, Rejected)
    assert issubclass(InvalidEvent, Rejected)


def test_the_columns_of_events_are_the_fields_that_all_of_them_have() -> None:
    fields = Event.__struct_fields__
    assert len(fields) == len(Envelopes._fields)
    assert all(kind.__struct_fields__[: len(fields)] == fields for kind in EVENT_TYPES)
    events = Events([Login(**ENVELOPE), ProductView(**ENVELOPE | {"event_id": "2"}, product_id="p", context=CONTEXT)])
    assert events.envelopes == tuple(tuple(getattr(event, field) for event in events) for field in fields)
    assert Events().envelopes == Envelopes()
