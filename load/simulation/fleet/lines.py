"""What every reader must make of a record's data, by the rules of docs/reference/records.md, with a parser of its own.

- the members of an aggregate of several are one event each, at KCL's sub-sequence number;
- any other record is a block: NDJSON, plain, one zstd frame or one gzip member, each line that is not blank at its index;
- a text of one event is that event, blanks and all, at index 0;
- what cannot be read, or has more lines or bytes than a block may, is rubbish at index 0, as is a broken aggregate.
"""

from __future__ import annotations

import json
import zlib
from functools import lru_cache
from typing import NamedTuple

import zstandard

from clickstream.load.simulation.fleet.deaggregation import deaggregate

MOST_BYTES = 8 * 1024 * 1024
MOST_LINES = 10_000
_AGGREGATE, _ZSTD, _GZIP = bytes.fromhex("f389 9ac2"), bytes.fromhex("28b5 2ffd"), bytes.fromhex("1f8b")


class Line(NamedTuple):
    """``key``: the partition key, which its user must have; None among several lines, where each user stands for itself."""

    place: int
    data: bytes
    key: str | None


class Contents(NamedTuple):
    """``filtered_by``: the hash keys by which KCL's range filter judges the record; none when it never drops it."""

    lines: list[Line]
    filtered_by: list[int]
    is_block: bool
    """KCL has one sub-sequence number for all of its lines."""


@lru_cache(2048)
def read(partition_key: str, data: bytes) -> Contents:
    is_aggregate, members = deaggregate(partition_key, data)
    filtered_by = [member.hashes_to for member in members] if is_aggregate else []
    if len(members) == 1:
        return Contents(_block(members[0].partition_key, members[0].data), filtered_by, is_block=True)
    lines = [Line(sub, member.data, member.partition_key) for sub, member in enumerate(members)]
    return Contents(lines, filtered_by, is_block=False)


def _block(key: str, data: bytes) -> list[Line]:
    text = None if data.startswith(_AGGREGATE) else _text(data)
    if text is None or text.count(b"\n") > MOST_LINES:
        return [Line(0, data, key)]
    filled = [(index, line) for index, line in enumerate(text.split(b"\n")) if line.strip()]
    if len(filled) < 2 or _is_document(text):
        return [Line(0, text, key)]
    return [Line(index, line, None) for index, line in filled]


def _is_document(text: bytes) -> bool:
    """Whether several lines are one pretty-printed event."""
    try:
        json.loads(text.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is Python's, not JSON's")


def _text(data: bytes) -> bytes | None:
    """None when it is damaged, cut short, followed by more, or too large; or empty, which is as good as damaged."""
    if data.startswith(_ZSTD):
        return _inflated_zstd(data)
    if data.startswith(_GZIP):
        return _inflated_gzip(data)
    return data if len(data) <= MOST_BYTES else None


def _inflated_zstd(data: bytes) -> bytes | None:
    try:
        with zstandard.ZstdDecompressor().stream_reader(data) as reader:
            if len(reader.read(MOST_BYTES + 1)) > MOST_BYTES:
                return None
        # the reader does not tell a frame that is cut short from a whole one
        frame = zstandard.ZstdDecompressor().decompressobj()
        text = frame.decompress(data)
    except zstandard.ZstdError:
        return None
    return text if text and frame.eof and not frame.unused_data else None


def _inflated_gzip(data: bytes) -> bytes | None:
    member = zlib.decompressobj(wbits=31)
    try:
        text = member.decompress(data, MOST_BYTES + 1)
    except zlib.error:
        return None
    return text if text and member.eof and not member.unused_data and len(text) <= MOST_BYTES else None
