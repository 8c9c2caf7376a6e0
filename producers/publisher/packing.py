"""Several events in one Kinesis record: how many go together, and the record's bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from clickstream.records import blocks
from clickstream.records.aggregation import MAGIC, Aggregate

Records = blocks.Compression | Literal["kpl", "single"]
"""How events travel: as the lines of a block, in a KPL aggregate, or each as a record of its own."""

KeyedEvent = tuple[str, bytes]
"""(partition key, data)"""

#: With one of these at its beginning a line would be taken for the beginning of something else.
_MAGICS = (blocks.ZSTD_MAGIC, blocks.GZIP_MAGIC, MAGIC)


def company(events: Iterable[KeyedEvent], records: Records, most_bytes: int, most_lines: int) -> int:
    """How many of these events, from the first on, go into one record of that size; one goes always.

    >>> company([("u", b'{"a":1}'), ("v", b'{"a":2}'), ("w", b'{"a":\\n3}')], "zstd", 1_000, 1_000)
    2
    """
    if records == "kpl":
        return max(Aggregate(most_bytes).fill(events), 1)
    count = size = 0
    for _, data in events:
        size += len(data) + 1
        if size > most_bytes or count == most_lines or not _is_line(data):
            break
        count += 1
    return max(count, 1)


def packed(events: Sequence[KeyedEvent], records: Records) -> bytes:
    """The record's data. One event alone travels as it is: anything can read that."""
    if len(events) == 1:
        return events[0][1]
    if records == "kpl":
        aggregate = Aggregate(limit=1 << 20)
        aggregate.fill(events)
        return aggregate.encode()
    assert records != "single"
    return blocks.pack([data for _, data in events], records)


def _is_line(data: bytes) -> bool:
    """Whether a reader of a block would find exactly these bytes again."""
    return b"\n" not in data and not data.startswith(_MAGICS) and bool(data) and not data.isspace()
