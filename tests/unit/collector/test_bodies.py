"""Limits before parsing: bombs, depth, numbers of events."""

from __future__ import annotations

import gzip
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickstream.errors import Rejected, TooLarge, Undecodable
from clickstream.producers.collector.bodies import Bounds, TooMany, inflate, split

BOUNDS = Bounds(body_bytes=10_000, inflated_bytes=50_000, events=5, depth=4)


def test_a_bomb_is_refused_at_the_limit_of_memory() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    tracemalloc.start()
    with pytest.raises(TooLarge):
        inflate(bomb, BOUNDS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * BOUNDS.inflated_bytes


def test_the_limit_itself_is_allowed() -> None:
    assert inflate(gzip.compress(bytes(50_000)), BOUNDS) == bytes(50_000)
    with pytest.raises(TooLarge):
        inflate(gzip.compress(bytes(50_001)), BOUNDS)


@pytest.mark.parametrize("body", [b"", b"plain", gzip.compress(b"x")[:-1], gzip.compress(b"x") + b"y", gzip.compress(b"") * 2])
def test_what_is_not_one_gzip_member_is_refused(body: bytes) -> None:
    with pytest.raises(Undecodable):
        inflate(body, BOUNDS)


def test_forms() -> None:
    assert split(b' {"a":1} ', "json", BOUNDS) == [b' {"a":1} ']
    assert split(b'[{"a":[1]}, 2]', "json", BOUNDS) == [b'{"a":[1]}', b"2"]
    assert split(b'{"a":1}\r\n\n {"b":2}', "ndjson", BOUNDS) == [b'{"a":1}', b'{"b":2}']
    assert len(split(b"[1,2,3,4,5]", "json", BOUNDS)) == 5


@pytest.mark.parametrize("body", [b"", b"  ", b"1", b'"x"', b"[", b"[1", b"\xff", b"[]", b"[1,]", b"[1] 2"])
def test_a_body_that_cannot_be_read_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(Undecodable):
        split(body, "json", BOUNDS)


@pytest.mark.parametrize(("body", "documents"), [(b"{]", [b"{]"]), (b'[1,{"a":"\xff"}]', [b"1", b'{"a":"\xff"}'])])
def test_a_documents_own_faults_are_left_to_whoever_decodes_it(body: bytes, documents: list[bytes]) -> None:
    assert split(body, "json", BOUNDS) == documents


def test_too_many_events() -> None:
    with pytest.raises(TooMany):
        split(b"[1,2,3,4,5,6]", "json", BOUNDS)
    with pytest.raises(TooMany):
        split(b"1\n2\n3\n4\n5\n6", "ndjson", BOUNDS)


@pytest.mark.parametrize("opener", [b"[", b'{"a":'])
def test_depth(opener: bytes) -> None:
    closer = b"]" if opener == b"[" else b"}"
    with pytest.raises(Undecodable, match="deeper"):
        split(opener * 100_000, "json", BOUNDS)
    with pytest.raises(Undecodable, match="deeper"):
        split(opener * 5 + b"1" + closer * 5, "json", BOUNDS)
    assert split(opener * 4 + b"1" + closer * 4, "json", BOUNDS)


def test_a_deep_line_is_rejected_alone() -> None:
    first, second = split(b"[[[[[1]]]]]\n{}", "ndjson", BOUNDS)
    assert isinstance(first, Rejected)
    assert second == b"{}"


def depth_of(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


_text = st.text(alphabet='[]{}"\\a\n', max_size=8)
_values = st.recursive(
    _text | st.none(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3), max_leaves=30
)


@given(_values)
def test_depth_is_that_of_the_document_whatever_its_text_says(value: object) -> None:
    documents = split(json.dumps(value, ensure_ascii=False).encode(), "ndjson", BOUNDS)
    assert isinstance(documents[0], Rejected) == (depth_of(value) > BOUNDS.depth)
