"""From a shard's records to events, to the reasons of those that are none, and to those of other shards. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from clickstream import events
from clickstream.errors import Rejected, Undecodable
from clickstream.events import AnyEvent
from clickstream.records.aggregation import is_aggregated
from clickstream.records.routing import HashRange, hash_key
from consumers.runtime.loop.wire import Record
from consumers.runtime.position import Position

#: Besides Rejected, what libraries raise for bytes that no client of good will sends. All else is a bug, and told as one.
_HOSTILE = (RecursionError, ValueError, OverflowError)
#: Hashing costs half a microsecond, a set lookup a tenth of that; the set is emptied when it has grown to this many users.
_REMEMBERED = 200_000


class Rejection(msgspec.Struct, frozen=True):
    """A record that is no event, and why."""

    record: Record
    error: Rejected


class Decoded(msgspec.Struct, frozen=True):
    """Parallel lists: ``events[i]`` arrived at ``arrived_ms[i]`` and belongs to ``users[i]``."""

    events: Sequence[AnyEvent]
    arrived_ms: Sequence[int]
    users: list[str]
    rejections: Sequence[Rejection] = ()


def position_of(record: Record) -> Position:
    return Position(int(record.sequence_number), record.sub_sequence_number)


def newer_than(records: list[Record], position: Position) -> list[Record]:
    """The records after a position; KCL's checkpoint lags the snapshot, so a restart delivers some again."""
    if not records or position_of(records[0]) > position:
        return records
    return [record for record in records if position_of(record) > position]


def decode_batch(records: list[Record]) -> Decoded:
    """All records of a batch, decoded at full speed as long as nothing is wrong with any of them."""
    decode = events.decode
    try:
        decoded = [decode(record.data) for record in records]
    except (Rejected, *_HOSTILE):
        return _one_by_one(records)
    users = [event.user_id for event in decoded]
    arrived = [record.approximate_arrival_timestamp for record in records]
    keys_differ = users != [record.partition_key for record in records]
    if keys_differ or (decoded and max([event.occurred_at for event in decoded]) > min(arrived) + events.MAX_AHEAD_MS):
        return _one_by_one(records)
    return Decoded(decoded, arrived, users)


def _one_by_one(records: list[Record]) -> Decoded:
    accepted: list[AnyEvent] = []
    arrived: list[int] = []
    rejections: list[Rejection] = []
    for record in records:
        try:
            accepted.append(_decode(record))
        except Rejected as error:
            # A fresh one: as it was raised it holds its traceback, that this frame, and that the whole batch, in a cycle that
            # only the collector would free, which looks every hour or so.
            rejections.append(Rejection(record, type(error)(error.reason, error.path)))
        except _HOSTILE as error:
            rejections.append(Rejection(record, Undecodable(f"not an event: {type(error).__name__}")))
        else:
            arrived.append(record.approximate_arrival_timestamp)
    return Decoded(accepted, arrived, [event.user_id for event in accepted], rejections)


def _decode(record: Record) -> AnyEvent:
    try:
        event = events.decode(record.data)
    except Undecodable as error:
        if is_aggregated(record.data):
            # KCL hands an aggregate that it cannot open to us as one plain record
            raise Undecodable("a KPL aggregate with a bad checksum or a broken body") from error
        raise
    events.admit(event, record.partition_key, record.approximate_arrival_timestamp)
    return event


class Home:
    """The users of one shard: every event takes effect on its home shard alone. A cache, not state.

    KCL drops an aggregate that was put with a stale shard map, but delivers it for fresh child shards until its own shard list
    reloads; the publisher puts it again either way. So the shard itself refuses what does not hash into its range.
    """

    def __init__(self, hash_range: HashRange) -> None:
        self._range = hash_range
        self._known: set[str] = set()

    def foreign(self, users: list[str]) -> set[str]:
        """Those of ``users`` whose hash key lies outside the shard's range."""
        unknown = set(users) - self._known
        if not unknown:
            return unknown
        foreign = {user for user in unknown if hash_key(user) not in self._range}
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        self._known |= unknown - foreign
        return foreign
