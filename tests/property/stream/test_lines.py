"""Any bytes that a record may hold: the reader finds the lines that the simulator's oracle finds, at speed and one by one."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

import zstandard
from hypothesis import given
from hypothesis import strategies as st

from clickstream import events
from clickstream.consumers.runtime.loop.decoding import Decoded, decode
from clickstream.consumers.runtime.loop.opening import expanded, one_by_one, opened
from clickstream.consumers.runtime.loop.wire import Record
from clickstream.events import ProductView
from clickstream.load.simulation.fleet.lines import read

NOW_MS = 1_700_000_000_000
EVENTS = [
    events.encode(ProductView(event_id=f"e{n}", user_id=f"u{n}", session_id="s", occurred_at=NOW_MS, product_id="p"))
    for n in range(3)
]
PIECES = (
    *(
        *EVENTS,
        json.dumps(json.loads(EVENTS[0]), indent=1).encode(),
        b'{"a":\n1}',
        b"1",
        b"null",
        b"NaN",
        b"Infinity",
        b"1e999",
    ),
    *(b"\n", b"\n\n", b"\r\n", b" ", b"\t", b"\x0b", b"\x0c", b"\x00", b"\x85", b"\xff", b"\xef\xbb\xbf", "\u2028".encode()),
    *(b"{", b"}", b"[", b"]", b",", b'"', b"\\", b"\x28\xb5\x2f\xfd", b"\x1f\x8b", b"\xf3\x89\x9a\xc2"),
)
TEXTS = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from((b"", b"\n"))).map(b"".join), max_size=6).map(b"".join)
PACKED: st.SearchStrategy[Callable[[bytes], bytes]] = st.sampled_from((bytes, gzip.compress, zstandard.compress))


@given(TEXTS, PACKED, st.none() | st.tuples(st.integers(0, 200), st.integers(1, 255)))
def test_reader_and_oracle_find_the_same_lines(
    text: bytes, packed: Callable[[bytes], bytes], damage: tuple[int, int] | None
) -> None:
    data = bytearray(packed(text))
    if damage is not None and damage[0] < len(data):
        data[damage[0]] ^= damage[1]
    record = Record(bytes(data), "u1", "5", 0, NOW_MS)
    lines = [(line.place, line.data, line.key) for line in read("u1", record.data).lines]
    assert [(line.sub_sequence_number, line.data, line.partition_key) for line in expanded(record)] == lines
    whole = list(opened([record]))
    assert whole[-1].end.sub == lines[-1][0]
    assert _told(decode(whole)) == _told(decode(one_by_one(whole)))


def _told(found: Decoded) -> tuple[list[str], list[tuple[int, bytes, str]]]:
    letters = [(each.record.sub_sequence_number, each.record.data, each.error.reason) for each in found.rejections]
    return [event.event_id for event in found.events], letters
