"""What a batch leaves behind once it is decoded."""

from __future__ import annotations

import gc
import sys

import pytest

from clickstream.consumers.runtime.loop.decoding import decode
from clickstream.consumers.runtime.loop.opening import opened
from clickstream.consumers.runtime.loop.wire import Record
from clickstream.events import Login, encode

NOW = 1_764_000_000_000


def login(user_id: str, occurred_at: int = NOW) -> bytes:
    return encode(Login(event_id="e", user_id=user_id, session_id="s", occurred_at=occurred_at))


@pytest.mark.parametrize(
    "bad",
    [b"{", b"[]", b'{"type":"login"}', b"\xf3\x89\x9a\xc2 a torn aggregate", login("another"), login("u", NOW + 300_001)],
    ids=["no JSON", "no object", "fields missing", "a torn aggregate", "a foreign key", "the future"],
)
def test_a_rejection_does_not_keep_its_batch_alive(bad: bytes) -> None:
    """The collector runs too rarely in a shard's process to leave a batch to it."""
    records = [Record(login("u"), "u", "1", 0, NOW), Record(bad, "u", "2", 0, NOW)]
    before = sys.getrefcount(records)
    gc.disable()
    try:
        (rejection,) = decode(opened(records)).rejections
        after = sys.getrefcount(records)
    finally:
        gc.enable()
    assert after == before
    assert rejection.record is records[1]
    assert rejection.error.reason
