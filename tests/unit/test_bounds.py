"""What every reader and store takes of an event: bytes where AWS counts bytes, text that has UTF-8, times that can be true."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import msgspec
import pytest

from clickstream import events, upcasting
from clickstream.errors import InvalidEvent, Rejected

NOW = 1_764_000_000_000
FIVE_MINUTES = 300_000


def event(kind: str = "page_view", **fields: Any) -> dict[str, Any]:
    return {"type": kind, "event_id": "e", "user_id": "u", "session_id": "s", "occurred_at": NOW, **fields}


def purchase(**fields: Any) -> dict[str, Any]:
    bought = {"order_id": "o", "items": [{"product_id": "p"}], "amount": 1, "currency": "EUR"}
    return event("purchase", **{**bought, **fields})


def refusal(fields: dict[str, Any]) -> Rejected:
    """The same from bytes and from parsed JSON."""
    with pytest.raises(Rejected) as parsed:
        events.from_builtins(fields)
    with pytest.raises(Rejected) as decoded:
        events.decode(msgspec.json.encode(fields))
    assert (decoded.value.reason, decoded.value.path) == (parsed.value.reason, parsed.value.path)
    return parsed.value


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        (event(event_id="\N{GRINNING FACE}" * 129), "$.event_id"),
        (event(user_id="é" * 257), "$.user_id"),
        (event(user_id="é" * 256 + "e"), "$.user_id"),
        (event(session_id="字" * 171), "$.session_id"),
        (purchase(order_id="\N{GRINNING FACE}" * 129), "$.order_id"),
        (event("product_view", product_id="\N{GRINNING FACE}" * 129), "$.product_id"),
        (purchase(items=[{"product_id": "p"}, {"product_id": "字" * 171}]), "$.items[1].product_id"),
    ],
)
def test_an_id_has_at_most_512_bytes(fields: dict[str, Any], path: str) -> None:
    assert refusal(fields).path == path


def test_an_id_of_512_bytes_is_taken() -> None:
    fields = event(event_id="\N{GRINNING FACE}" * 128, user_id="é" * 256, session_id="s" * 256)
    assert events.decode(msgspec.json.encode(fields)) == events.from_builtins(fields)


@pytest.mark.parametrize("character", ["\x00", "\t", "\n", "\r", "\x1b", "\x1f", "\x7f", "\x80", "\x85", "\x9f"])
@pytest.mark.parametrize("field", ["event_id", "user_id", "session_id", "order_id"])
def test_an_id_holds_no_control_character(field: str, character: str) -> None:
    error = refusal(purchase(**{field: f"a{character}b"}))
    assert (error.path, error.reason) == (f"$.{field}", "a control character in an id")


@pytest.mark.parametrize("text", ["a b", " ", "\u00a0", "\u2028", "e\u0301", "\u202e", '"', "\\", "#", "/"])
def test_other_characters_are_the_shops_own_business(text: str) -> None:
    assert events.decode(msgspec.json.encode(event(user_id=text))).user_id == text


@pytest.mark.parametrize("character", ["\n", "\x00", "\x7f", "\x1b"])
def test_text_that_is_no_id_may_hold_any_character(character: str) -> None:
    assert events.decode(msgspec.json.encode(event(url=character))) == events.from_builtins(event(url=character))


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        (event(event_id="\ud800"), "$.event_id"),
        (event(url="x\udfff"), "$.url"),
        (event(context={"referrer": "\ud83d"}), "$.context.referrer"),
        (purchase(items=[{"product_id": "p", "category": "\udc00"}]), "$.items[0].category"),
    ],
)
def test_no_text_holds_a_lone_surrogate(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidEvent) as caught:
        events.from_builtins(fields)
    assert caught.value.path == path


def test_500_items_of_the_longest_ids_are_too_much() -> None:
    fields = purchase(items=[{"product_id": "p" * 256, "category": "c" * 256, "price": 1}] * 500)
    error = refusal(fields)
    assert error.path == "$"
    assert "bytes" in error.reason


@pytest.mark.parametrize(("more", "taken"), [(0, True), (1, False)])
def test_an_event_has_at_most_100_000_bytes(more: int, taken: bool) -> None:
    items = [{"product_id": f"{n:0200}", "category": "", "quantity": 1, "price": 0} for n in range(390)]
    wanted = 100_000 - len(events.encode(events.from_builtins(purchase(items=items)))) + more
    items += [{"product_id": "p" * 100, "category": "", "quantity": 1, "price": 0}] * (wanted // 156)
    left = 100_000 - len(events.encode(events.from_builtins(purchase(items=items)))) + more
    fields = purchase(items=items, payment_fingerprint="f" * left)
    if taken:
        assert len(events.encode(events.from_builtins(fields))) == 100_000
    else:
        refusal(fields)


def test_fields_that_were_left_out_count_as_they_are_stored() -> None:
    items = [{"product_id": f"{n:0180}"} for n in range(440)]
    document = msgspec.json.encode(purchase(items=items))
    assert len(document) < 100_000
    with pytest.raises(InvalidEvent, match="bytes"):
        events.decode(document)


@pytest.mark.parametrize("occurred_at", [-1, 0, 1_764_000_000, 946_684_799_999])
def test_a_time_before_2000_is_asked_for_its_unit(occurred_at: int) -> None:
    error = refusal(event(occurred_at=occurred_at))
    assert error.path == "$.occurred_at"
    assert "milliseconds?" in error.reason


def test_the_first_moment_of_2000_is_taken() -> None:
    assert events.from_builtins(event(occurred_at=946_684_800_000)).occurred_at == 946_684_800_000


def test_a_clock_may_be_five_minutes_ahead() -> None:
    late = events.from_builtins(event(occurred_at=NOW + FIVE_MINUTES))
    events.admit(late, "u", NOW)
    with pytest.raises(InvalidEvent, match=r"occurred in the future at \$\.occurred_at"):
        events.admit(late, "u", NOW - 1)
    with pytest.raises(InvalidEvent, match=r"partition key is not the user_id.* at \$\.user_id"):
        events.admit(late, "v", NOW)


@pytest.mark.parametrize(
    "fields",
    [
        event("secret" * 50_000),
        event("secret - at `$.user_id`"),
        event(context={"device_kind": "secret"}),
        event(context={"secret": [["secret"]]}, occurred_at="secret"),
        event(secret={"secret": "secret"}, occurred_at=0),
        purchase(currency="secret"),
        purchase(schema_version=1, amount="secret"),
        purchase(schema_version=1, amount="1", currency="secret" * 50_000),
    ],
)
def test_a_reason_carries_nothing_of_the_client(fields: dict[str, Any]) -> None:
    error = refusal(fields)
    assert "secret" not in str(error)
    assert len(str(error)) < 200


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize("depth", [100, 500, 900, 990, 1_000, 3_000, 100_000])
@pytest.mark.parametrize(
    "field", ["currency", "amount", "items", "sku", "schema_version", "type", "user_id", "context", "other"]
)
def test_nested_values_of_version_1_raise_nothing_but_rejected(field: str, depth: int) -> None:
    fields = {name: value for name, value in purchase(schema_version=1, amount="1").items() if name != field}
    document = f'{msgspec.json.encode(fields).decode()[:-1]},"{field}":{nested(depth)}}}'.encode()
    try:
        events.decode(document)
    except Rejected as rejected:
        assert len(str(rejected)) < 200  # noqa: PT017  # either way is right
    else:
        assert field in ("sku", "other"), "fields that a purchase does not have are passed over"


def minor_units() -> list[tuple[str, str]]:
    with Path(__file__).with_name("iso-4217.csv").open() as file:
        next(file)
        return [(code, units) for code, units in csv.reader(file)]


@pytest.mark.parametrize(("currency", "units"), minor_units())
def test_version_1_amounts_have_the_decimals_of_iso_4217(currency: str, units: str) -> None:
    decimals = 2 if units == "N.A." else int(units)  # metals and funds have none; no shop sells in them
    text = f"12.{'3' * decimals}" if decimals else "12"
    fields = purchase(schema_version=1, amount=text, currency=currency)
    bought = events.from_builtins(fields)
    assert isinstance(bought, events.Purchase)
    assert bought.amount == int(text.replace(".", ""))
    more = f"12.{'3' * decimals}3"
    with pytest.raises(InvalidEvent, match="more decimals than the currency has"):
        events.from_builtins({**fields, "amount": more})


def test_the_latest_version_of_nothing_is_itself() -> None:
    assert upcasting.to_latest({}) == {}
