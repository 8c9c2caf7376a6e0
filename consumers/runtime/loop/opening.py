"""From a shard's records to what stands in them: a record's text, cut into slices that are folded one by one. Pure.

A record that came alone may hold many events, one to a line; a KPL aggregate's member holds one. An event's position is its
record's sequence number with KCL's sub-sequence number or the index of its line.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from clickstream.consumers.runtime.loop.wire import Record
from clickstream.errors import Undecodable
from clickstream.records import blocks
from clickstream.records.position import Position

#: Of text: some 800 events, which fit a processor's own cache with all that is made of them.
SLICE_BYTES = 1 << 18


class Line(Record, frozen=True, gc=False):
    """One event of a record, as a record of its own; ``sub_sequence_number`` is the index of its line."""

    is_last: bool = True


class Opened(msgspec.Struct, frozen=True, gc=False):
    """A record and its text. ``several``: its events stand one to a line; otherwise it is one event, or none."""

    record: Record
    text: bytes
    several: bool = False

    @property
    def start(self) -> Position:
        """The position of its first event, or before it."""
        return position_of(self.record)

    @property
    def end(self) -> Position:
        """The position of its last event."""
        start = self.start
        return Position(start.sequence, blocks.last_line(self.text)) if self.several else start

    @property
    def for_kcl(self) -> Position | None:
        """What KCL may checkpoint once all of it is durable: whole records, so None of a line with others after it."""
        if isinstance(self.record, Line):
            return Position(self.start.sequence, 0) if self.record.is_last else None
        return self.start


def position_of(record: Record) -> Position:
    return Position(int(record.sequence_number), record.sub_sequence_number)


def slices(records: Sequence[Record], after: Position, most_bytes: int = SLICE_BYTES) -> Iterator[list[Opened]]:
    """What lies after a position, opened no sooner than it is folded; KCL's checkpoint lags, so a restart delivers some again.

    A slice ends with the record that fills it.
    """
    part: list[Opened] = []
    size = 0
    for each in opened(_newer_than(records, after)):
        part.append(each)
        size += len(each.text)
        if size >= most_bytes:
            yield part
            part, size = [], 0
    if part:
        yield part


def one_by_one(part: Iterable[Opened]) -> list[Opened]:
    """The same events, each as a record of its own."""
    return [Opened(line, line.data) for each in part for line in (expanded(each.record) if each.several else [each.record])]


def expanded(record: Record) -> list[Line]:
    """The events of a record that came alone; one that cannot be read stands for one."""
    found = blocks.events_in(record.data)
    last = found[-1][0]
    key = record.partition_key if len(found) == 1 else None
    return [
        Line(line, key, record.sequence_number, index, record.approximate_arrival_timestamp, is_last=index == last)
        for index, line in found
    ]


def _newer_than(records: Sequence[Record], after: Position) -> Sequence[Record]:
    if not records or int(records[0].sequence_number) > after.sequence:
        return records
    newer: list[Record] = []
    for n, record in enumerate(records):
        if int(record.sequence_number) == after.sequence and not _is_one_event(records, n):
            newer += [line for line in expanded(record) if line.sub_sequence_number > after.sub]
        elif position_of(record) > after:
            newer.append(record)
    return newer


def opened(records: Sequence[Record]) -> Iterator[Opened]:
    """Records of whole batches, so that an aggregate's members stand beside each other."""
    for n, record in enumerate(records):
        if _is_one_event(records, n):
            yield Opened(record, record.data)
            continue
        try:
            text = blocks.unpack(record.data)
        except Undecodable:
            yield Opened(record, record.data)  # decoding finds the reason once more
            continue
        if b"\n" in text.strip():
            yield Opened(record, text, several=True)
        else:
            (line,) = expanded(record)
            yield Opened(line, line.data)


def _is_one_event(records: Sequence[Record], n: int) -> bool:
    """KCL numbers an aggregate's members from 0, so the first of them is known by the next."""
    record = records[n]
    return (
        not blocks.holds_several(record.data)
        or record.sub_sequence_number > 0
        or isinstance(record, Line)
        or (n + 1 < len(records) and records[n + 1].sequence_number == record.sequence_number)
    )
