"""What of an event is not kept, whatever its type is made of."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from clickstream import events
from clickstream.envelope import AddToCart, Context, Event, Item, Login, PageView, ProductView, Purchase, RemoveFromCart, Search
from clickstream.producers import door

_ENVELOPE: dict[str, Any] = {
    "event_id": "e", "user_id": "u", "session_id": "s", "occurred_at": 1_764_000_000_000, "context": Context(country="DE"),
}  # fmt: skip
WHOLE: dict[str, Event] = {
    type(event).__name__: event
    for event in (
        PageView(**_ENVELOPE, url="/"),
        ProductView(**_ENVELOPE, product_id="p"),
        Search(**_ENVELOPE, query="q"),
        AddToCart(**_ENVELOPE, product_id="p"),
        RemoveFromCart(**_ENVELOPE, product_id="p"),
        Purchase(**_ENVELOPE, order_id="o", items=(Item(product_id="p", price=3),), amount=3, currency="EUR"),
        Login(**_ENVELOPE),
    )
}


class Shelf(msgspec.Struct, frozen=True):
    row: int = 0


class Wish(Event, frozen=True, kw_only=True, tag="wish"):
    tags: frozenset[str]
    counts: dict[int, int]
    shelves: dict[str, Shelf]
    at: Shelf | None = None
    called: str = msgspec.field(default="", name="name")


FIELDS: dict[str, Any] = {
    "type": "wish", "event_id": "e", "user_id": "u", "session_id": "s", "occurred_at": 1_764_000_000_000,
    "tags": ["a", "a", "b"], "counts": {"1": 2}, "shelves": {"x": {"row": 1}}, "at": {"row": 1}, "name": "n",
}  # fmt: skip


def test_nothing_is_named_that_is_kept() -> None:
    assert door.not_kept(FIELDS, msgspec.convert(FIELDS, Wish, str_keys=True)) == ()


def test_what_lies_deeper_is_named_too() -> None:
    sent = FIELDS | {"shelves": {"x": {"row": 1, "side": 2}}, "at": {"colour": 1}, "called": "n"}
    assert door.not_kept(sent, msgspec.convert(sent, Wish, str_keys=True)) == ("$.shelves.x.side", "$.at.colour", "$.called")


@pytest.mark.parametrize("kind", events.EVENT_TYPES, ids=lambda kind: kind.__name__)
def test_an_event_is_as_declared_only_with_nothing_more(kind: type[Event]) -> None:
    """The quick look and the thorough one say the same, of each type and of its parts."""
    whole = msgspec.to_builtins(WHOLE[kind.__name__])
    assert door.is_as_declared(msgspec.json.encode(whole))
    for more in (whole | {"hue": 1}, whole | {"context": whole["context"] | {"hue": 1}}, _without(whole, "event_id")):
        assert not door.is_as_declared(msgspec.json.encode(more))
    for item in whole.get("items", ()):
        assert not door.is_as_declared(msgspec.json.encode(whole | {"items": [item | {"hue": 1}]}))


def test_an_old_version_is_looked_at_thoroughly() -> None:
    assert not door.is_as_declared(msgspec.json.encode(WHOLE["Login"]).replace(b'"schema_version":2', b'"schema_version":1'))


def _without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {each: value for each, value in fields.items() if each != name}


def test_a_type_of_the_shops_that_holds_structs_is_closed_all_through() -> None:
    closed = msgspec.json.Decoder(door._close(Wish))
    closed.decode(msgspec.json.encode(FIELDS))
    for more in ({"shelves": {"x": {"row": 1, "side": 2}}}, {"at": {"colour": 1}}, {"called": "n"}):
        with pytest.raises(msgspec.ValidationError, match="unknown field"):
            closed.decode(msgspec.json.encode(FIELDS | more))
