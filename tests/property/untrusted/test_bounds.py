"""Whatever a client sends: the reader raises nothing but Rejected, and takes all that the door took."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from clickstream import events
from clickstream.consumers.runtime.loop.decoding import decode
from clickstream.consumers.runtime.loop.opening import opened
from clickstream.consumers.runtime.loop.wire import Record
from clickstream.errors import Rejected
from clickstream.producers.collector.reception import receive
from clickstream.producers.door import Entered

NOW = 1_764_000_000_000

_characters = st.characters(exclude_categories=["Cs"])
_text = st.text(_characters, max_size=12) | st.sampled_from(
    ["", "a\nb", "\x7f", "é" * 256, "é" * 257, "\U0001f600" * 128, "\U0001f600" * 129]
)
_id = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1, max_size=8) | _text
_numbers = st.sampled_from([-1, 0, 1, 2.5, 10**12, 10**13, 10**30, True, None, "1.00", "x"])
_times = st.sampled_from(
    [0, 946_684_799_999, 946_684_800_000, NOW, NOW + 300_000, NOW + 300_001, 4_102_444_800_001, NOW // 1000]
)
_any = st.recursive(
    _numbers | _text, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3), max_leaves=6
)
_item = st.fixed_dictionaries(
    {}, optional={"product_id": _id, "sku": _id, "price": _numbers, "category": _text, "quantity": _numbers}
)
_events = st.fixed_dictionaries(
    {"type": st.sampled_from([str(kind.__struct_config__.tag) for kind in events.EVENT_TYPES]) | _text},
    optional={
        "event_id": _id,
        "user_id": _id,
        "session_id": _id,
        "occurred_at": _times,
        "schema_version": st.sampled_from([1, 2, 3, True, "1"]),
        "product_id": _id,
        "sku": _id,
        "order_id": _id,
        "query": _text,
        "amount": _numbers,
        "currency": st.sampled_from(["EUR", "JPY", "CLF", "eur"]) | _any,
        "items": st.lists(_item, max_size=3) | st.lists(_item, min_size=400, max_size=520) | _any,
        "context": _any,
        "category": _text | _any,
        "redriven_for": _text,
    },
)
_complete = st.builds(
    lambda fields, more: (
        {"event_id": "e", "user_id": "u", "session_id": "s", "occurred_at": NOW, "query": "q", "product_id": "p", "sku": "p"}
        | fields
        | more
    ),
    _events,
    st.dictionaries(_text, _any, max_size=1),
)


def read(key: str, data: bytes, arrived_ms: int) -> Rejected | events.AnyEvent:
    decoded = decode(opened([Record(data, key, "1", 0, arrived_ms)]))
    return decoded.rejections[0].error if decoded.rejections else decoded.events[0]


@given(_events | _complete)
def test_what_the_door_takes_readers_take_and_what_they_refuse_it_refuses(fields: dict[str, Any]) -> None:
    document = msgspec.json.encode(fields)
    received = receive(document, lambda: "new", NOW)
    if isinstance(received, Entered):
        event = received.event
        assert read(event.user_id, events.encode(event), NOW + 1) == event
        assert events.decode(events.encode(event)) == event
        return
    assert received.errors
    assert all(len(problem.reason) < 200 for problem in received.errors)
    by_reader = read(str(fields.get("user_id")), document, NOW)
    if not isinstance(by_reader, Rejected):
        # what the door alone refuses
        assert "redriven_for" in fields or events.size_of(by_reader) > events.MOST_EVENT_BYTES - 1_000


@given(
    st.binary(max_size=300)
    | _complete.map(msgspec.json.encode).flatmap(lambda data: st.integers(0, len(data)).map(lambda cut: data[:cut]))
)
def test_no_bytes_raise_anything_but_rejected(data: bytes) -> None:
    try:
        event = events.decode(data)
    except Rejected as error:
        assert len(str(error)) < 300  # noqa: PT017  # either way is right
    else:
        assert events.decode(events.encode(event)) == event


@given(st.sampled_from("event_id user_id session_id order_id".split()), st.text(st.characters(), max_size=300))
def test_an_id_that_is_taken_fits_every_key(field: str, text: str) -> None:
    purchase = {
        "type": "purchase",
        "event_id": "e",
        "user_id": "u",
        "session_id": "s",
        "occurred_at": NOW,
        "order_id": "o",
        "items": [{"product_id": "p"}],
        "amount": 1,
        "currency": "EUR",
    }
    try:
        event = events.from_builtins(purchase | {field: text})
    except Rejected:
        return
    taken = getattr(event, field)
    assert 1 <= len(taken) <= 256
    assert len(taken.encode()) <= 512
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in taken)
