"""The oracle's own parser: records written by hand, and what every reader must find in them."""

from __future__ import annotations

import gzip
from hashlib import md5

import pytest
import zstandard

from clickstream.load.simulation.fleet.deaggregation import hash_of
from clickstream.load.simulation.fleet.lines import MOST_BYTES, MOST_LINES, Line, read

A, B = b'{"a":1}', b'{"b":2}'
TEXT = b"\n".join((A, b"", b"rubbish", B, b""))
#: `printf '{"a":1}\n\nrubbish\n{"b":2}\n' | zstd -1 --check`, and the same through `gzip -1n`.
ZSTD = bytes.fromhex("28b52ffd0448c900007b2261223a317d0a0a727562626973680a7b2262223a327d0aa4601c3e")
GZIP = bytes.fromhex("1f8b0800000000000403ab564a54b232ace5e22a2a4d4aca2ccee0aa564a52b232aae502008751742d19000000")


def aggregate(*members: tuple[str, bytes]) -> bytes:
    """A KPL aggregate, each member with a key of its own."""

    def field(tag: int, value: bytes) -> bytes:
        assert len(value) < 128
        return bytes((tag, len(value))) + value

    keys = b"".join(field(0x0A, key.encode()) for key, _ in members)
    records = b"".join(field(0x1A, bytes((0x08, n)) + field(0x1A, data)) for n, (_, data) in enumerate(members))
    body = keys + records
    return bytes.fromhex("f3899ac2") + body + md5(body, usedforsecurity=False).digest()


def found(data: bytes) -> list[Line]:
    return read("key", data).lines


@pytest.mark.parametrize("data", [TEXT, TEXT[:-1], ZSTD, GZIP], ids=["plain", "no last line feed", "zstd", "gzip"])
def test_each_line_that_is_not_blank_stands_at_its_index(data: bytes) -> None:
    assert found(data) == [Line(0, A, None), Line(2, b"rubbish", None), Line(3, B, None)]


@pytest.mark.parametrize("text", [A, A + b"\n", b"\n \n" + A, b'{"a":\n1}', b"", b"\n\t\n"])
def test_a_text_of_one_event_or_none_has_the_records_key(text: bytes) -> None:
    assert found(text) == [Line(0, text, "key")]
    for packed in (gzip.compress(text), zstandard.compress(text)):
        assert found(packed) == [Line(0, text or packed, "key")]


@pytest.mark.parametrize(
    "data",
    [
        *(ZSTD[:-1], ZSTD[:10], GZIP[:-1], GZIP[:12]),
        *(ZSTD + b"\n", ZSTD + ZSTD, GZIP + b"\n", GZIP + GZIP),
        *(ZSTD.replace(b"rubb", b"rabb"), GZIP[:-5] + b"\1" + GZIP[-4:]),
        *(zstandard.compress(b" " * (MOST_BYTES + 1)), gzip.compress(b" " * (MOST_BYTES + 1))),
        A + b"\n" * (MOST_LINES + 1),
        aggregate(("u", A), ("v", B))[:-1] + b"\n",
    ],
)
def test_what_cannot_be_read_stands_for_one(data: bytes) -> None:
    assert found(data) == [Line(0, data, "key")]


def test_the_most_lines_and_bytes_are_read() -> None:
    text = A + b"\n" * (MOST_LINES - 1) + B + b"\n"
    assert found(text) == [Line(0, A, None), Line(MOST_LINES - 1, B, None)]
    assert found(gzip.compress(b" " * MOST_BYTES)) == [Line(0, b" " * MOST_BYTES, "key")]


def test_a_member_of_an_aggregate_is_one_event_whatever_it_holds() -> None:
    contents = read("key", aggregate(("u", A), ("v", TEXT), ("w", GZIP)))
    assert contents.lines == [Line(0, A, "u"), Line(1, TEXT, "v"), Line(2, GZIP, "w")]
    assert contents.filtered_by == [hash_of("u"), hash_of("v"), hash_of("w")]
    assert not contents.is_block


def test_an_aggregate_of_one_is_that_record_alone() -> None:
    contents = read("key", aggregate(("u", GZIP)))
    assert [line.place for line in contents.lines] == [0, 2, 3]
    assert contents.is_block
    assert contents.filtered_by == [hash_of("u")], "KCL filters it none the less"
