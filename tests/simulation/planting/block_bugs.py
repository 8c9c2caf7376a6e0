"""Deliberate bugs of records that hold many events: what is one, where its lines stand, and who has to wait for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from clickstream.consumers.runtime.loop import decoding, folding, opening
from clickstream.consumers.runtime.loop.decoding import Home
from clickstream.consumers.runtime.loop.opening import Line, Opened
from clickstream.consumers.runtime.loop.wire import Record
from clickstream.producers.publisher.lane import Lane
from clickstream.producers.publisher.puts import Parcel, Placed
from clickstream.producers.publisher.rules import Publisher
from clickstream.records import blocks
from clickstream.records.position import Position
from tests.simulation.planting.bugs import Replacement, bug


@bug
def line_skipped_at_a_slices_edge() -> list[Replacement]:
    """The first line after a slice's end is taken for the last one before it."""
    slices = opening.slices

    def wrong(records: Sequence[Record], after: Position, most_bytes: int) -> Iterator[list[Opened]]:
        for number, part in enumerate(slices(records, after, most_bytes)):
            first = part[0]
            if number and len(blocks.lines(first.text)) > 2:
                rest = first.text[first.text.index(b"\n") :]
                part[0] = Opened(msgspec.structs.replace(first.record, data=rest), rest, several=True)
            yield part

    return [(folding, "slices", wrong)]


@bug
def index_off_by_one_after_a_restart() -> list[Replacement]:
    """A process that begins within a block skips the line after the last one that is durable."""
    newer_than = opening._newer_than

    def wrong(records: Sequence[Record], after: Position) -> Sequence[Record]:
        newer = newer_than(records, after)
        return newer[1:] if newer and isinstance(newer[0], Line) else newer

    return [(opening, "_newer_than", wrong)]


@bug
def foreign_line_kept() -> list[Replacement]:
    """All lines are taken to be at home where the first of them is."""
    foreign = Home.foreign

    def wrong(self: Home, users: list[str]) -> set[str]:
        found = foreign(self, users)
        return found if users and users[0] in found else set()

    return [(Home, "foreign", wrong)]


@bug
def checkpoint_passes_a_begun_block() -> list[Replacement]:
    """KCL's checkpoint goes to a block as soon as one of its lines is durable; KCL never delivers the others again."""

    def wrong(self: Opened) -> Position:
        return Position(self.start.sequence, 0) if isinstance(self.record, Line) else self.start

    return [(Opened, "for_kcl", property(wrong))]


@bug
def bomb_believed() -> list[Replacement]:
    """A reader inflates whatever it is given."""
    return [(blocks, "MOST_BYTES", 64 * 1024 * 1024)]


@bug
def bad_line_takes_its_block_along() -> list[Replacement]:
    """A block with a bad line in it is rejected whole."""

    def wrong(record: Record) -> list[Record]:
        return [record]

    return [(decoding, "expanded", wrong)]


@bug
def blank_lines_not_counted() -> list[Replacement]:
    """The index counts events, not lines: whoever looks for a letter's line finds another."""
    lines = blocks.lines

    def wrong(text: bytes) -> list[tuple[int, bytes]]:
        return list(enumerate(line for _, line in lines(text)))

    return [(blocks, "lines", wrong)]


@bug
def members_read_as_blocks() -> list[Replacement]:
    """A member of an aggregate is opened as a record alone is: two events have one position."""

    def wrong(records: Sequence[Record], n: int) -> bool:
        return not blocks.holds_several(records[n].data) or isinstance(records[n], Line)

    return [(opening, "_is_one_event", wrong)]


@bug
def foreign_events_not_put_again() -> list[Replacement]:
    """A block that came to another shard counts as delivered once one of its events belongs there."""

    def wrong(self: Publisher, lane: Lane, parcel: Parcel, placed: Placed) -> None:
        actual = self._ranges.get(placed.shard_id)
        if actual is None:
            lane.awaiting.append((parcel, placed))
        elif any(member.hash_key in actual for member in parcel.members):
            self._deliver(parcel, placed)
        else:
            lane.retry.append(parcel)

    return [(Publisher, "_judge", wrong)]


@bug
def block_acknowledged_twice() -> list[Replacement]:
    """A block that came to another shard is acknowledged whole, and its foreign events once more when they are put again."""
    judge = Publisher._judge

    def wrong(self: Publisher, lane: Lane, parcel: Parcel, placed: Placed) -> None:
        waiting = len(lane.retry)
        judge(self, lane, parcel, placed)
        for again in lane.retry[waiting:]:
            if len(again.members) < len(parcel.members):
                self._deliver(again, placed)

    return [(Publisher, "_judge", wrong)]
