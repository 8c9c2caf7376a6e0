"""Several events in one Kinesis record: how many go together, and the record's bytes."""

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from clickstream.records import blocks
from clickstream.records.aggregation import Aggregate, is_aggregated
from clickstream.settings import RecordFormat

Records = RecordFormat | Literal["single"]
"""How events travel: as the lines of a block, in a KPL aggregate, or each as a record of its own."""


class Member(msgspec.Struct, gc=False):
    """An event on its way. ``number`` counts the events that were added, so it orders those of one user."""

    number: int
    key: str
    """The partition key."""
    data: bytes
    hash_key: bytes
    added_at: float
    token: object
    """What the caller gave with the event; comes back when it is settled."""


def together(members: Iterable[Member], records: Records, most_bytes: int, most_lines: int) -> int:
    """How many of these events, from the first on, go into one record of that size before compression; one goes always."""
    if records == "kpl":
        return max(Aggregate(most_bytes).fill((member.key, member.data) for member in members), 1)
    count = size = 0
    for member in members:
        data = member.data
        size += len(data) + 1
        # the first look is enough for almost all
        if size > most_bytes or count == most_lines or b"\n" in data or not (data[:1] == b"{" or _is_line(data)):
            break
        count += 1
    return max(count, 1)


def _is_line(data: bytes) -> bool:
    """Whether a reader of a block would find exactly these bytes again."""
    return bool(data) and not data.isspace() and not blocks.is_compressed(data) and not is_aggregated(data)


def packed(members: Sequence[Member], records: Records) -> bytes:
    """The record's data. One event alone travels as it is: anything can read that."""
    if len(members) == 1:
        return members[0].data
    if records == "kpl":
        aggregate = Aggregate(limit=1 << 20)
        aggregate.fill((member.key, member.data) for member in members)
        return aggregate.encode()
    assert records != "single"
    return blocks.pack([member.data for member in members], records)
