"""What of an event is not kept, whatever its type is made of."""

from __future__ import annotations

from typing import Any

import msgspec

from clickstream.envelope import Event
from clickstream.producers import door


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
    assert door.not_kept(FIELDS, msgspec.convert(FIELDS, Wish, str_keys=True)) == []


def test_what_lies_deeper_is_named_too() -> None:
    sent = FIELDS | {"shelves": {"x": {"row": 1, "side": 2}}, "at": {"colour": 1}, "called": "n"}
    assert door.not_kept(sent, msgspec.convert(sent, Wish, str_keys=True)) == ["$.shelves.x.side", "$.at.colour", "$.called"]
