"""From opened records to events, to the reasons of those that are none, and to those of other shards. Pure."""

from collections.abc import Iterable, Sequence

import msgspec

from clickstream import events
from clickstream.consumers.runtime.loop.opening import Opened, expanded
from clickstream.consumers.runtime.loop.wire import Record
from clickstream.errors import Rejected, Undecodable
from clickstream.events import AnyEvent, Events
from clickstream.records.aggregation import is_aggregated
from clickstream.records.blocks import is_compressed, unpack
from clickstream.records.routing import HashRange, hash_key

#: Besides Rejected, what libraries raise for bytes that no client of good will sends. All else is a bug, and told as one.
_HOSTILE = (RecursionError, ValueError, OverflowError)
#: Hashing costs half a microsecond, a set lookup a tenth of that; the set is emptied when it has grown to this many users.
_REMEMBERED = 200_000


class Rejection(msgspec.Struct, frozen=True):
    """A record, or a line of one, that is no event, and why."""

    record: Record
    error: Rejected


class Decoded(msgspec.Struct, frozen=True):
    """Parallel lists: ``events[i]`` arrived at ``arrived_ms[i]``."""

    events: Events
    arrived_ms: Sequence[int]
    rejections: Sequence[Rejection] = ()


def decode(part: Iterable[Opened]) -> Decoded:
    """The events of opened records. A bad line costs its own block the speed, and no other line its place."""
    found = Events()
    arrived: list[int] = []
    rejections: list[Rejection] = []
    for each in part:
        at_ms = each.record.approximate_arrival_timestamp
        if each.several and (events_of_all := _all_lines(each.text, at_ms)) is not None:
            found += events_of_all
            arrived += [at_ms] * len(events_of_all)
            continue
        for record in expanded(each.record) if each.several else (each.record,):
            try:
                found.append(_decode(record))
            except Rejected as error:
                # A fresh one: as it was raised it holds its traceback, that this frame, and that the whole batch, in a cycle
                # that only the collector would free, which looks every hour or so.
                rejections.append(Rejection(record, type(error)(error.reason, error.path)))
            except _HOSTILE as error:
                rejections.append(Rejection(record, Undecodable(f"not an event: {type(error).__name__}")))
            else:
                arrived.append(at_ms)
    return Decoded(found, arrived, rejections)


def _all_lines(text: bytes, arrived_ms: int) -> list[AnyEvent] | None:
    """The events of a block, if nothing is wrong with any of them."""
    found = events.decode_lines(text)
    if found and max([event.occurred_at for event in found]) > arrived_ms + events.MAX_AHEAD_MS:
        return None
    return found


def _decode(record: Record) -> AnyEvent:
    try:
        event = events.decode(record.data)
    except Undecodable as error:
        if is_aggregated(record.data):
            # KCL hands an aggregate that it cannot open to us as one plain record
            raise Undecodable("a KPL aggregate with a bad checksum or a broken body") from error
        if is_compressed(record.data):
            unpack(record.data)  # raises what is wrong with it
            raise Undecodable("a compressed block where one event must stand") from error
        raise
    # an event that shares its record is found by its user: Home sees whether that lies in this shard
    key = event.user_id if record.partition_key is None else record.partition_key
    events.admit(event, key, record.approximate_arrival_timestamp)
    return event


class Home:
    """The users of one shard: every event takes effect on its home shard alone. A cache, not state.

    KCL drops an aggregate that was put with a stale shard map, but delivers it for fresh child shards until its own shard list
    reloads; the publisher puts it again either way. So the shard itself refuses what does not hash into its range.
    """

    def __init__(self, hash_range: HashRange) -> None:
        self._range = hash_range
        self._known: set[str] = set()

    def foreign(self, users: Sequence[str]) -> set[str]:
        """Those of ``users`` whose hash key lies outside the shard's range."""
        known = self._known
        unknown = {user for user in users if user not in known}
        if not unknown:
            return unknown
        foreign = {user for user in unknown if hash_key(user) not in self._range}
        if len(known) > _REMEMBERED:
            known.clear()
        known |= unknown - foreign
        return foreign
