"""One shard's state in memory: what the events up to a position amount to. Pure; the shard loop decides when it is written."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from clickstream.application import Fold, Inheritance
from clickstream.consumers.runtime.loop.decoding import Decoded, Home, decode
from clickstream.consumers.runtime.loop.duplicates import SeenChunk, SeenEvents
from clickstream.consumers.runtime.loop.opening import Opened
from clickstream.consumers.runtime.state.snapshots import Progress
from clickstream.errors import Stop
from clickstream.events import AnyEvent, Events
from clickstream.progress.completeness import Buckets, Lateness
from clickstream.records.position import START, Position
from clickstream.records.routing import HashRange


class StoredState(msgspec.Struct, frozen=True, array_like=True):
    """A link of the snapshot chain, decoded: the runtime's own state and the fold's, whole or as changes."""

    progress: Progress
    seen: list[SeenChunk]
    fold: bytes
    lateness: Buckets = {}


class ShardState:
    """``state(p) = fold(events up to p)``, with the duplicates' ids and the counters that belong to the same position."""

    def __init__(self, application: str, fold: Fold, hash_range: HashRange) -> None:
        self.fold = fold
        self._application = application
        self.position = START
        self.progress = Progress()
        self.lateness = Lateness()
        self._seen = SeenEvents()
        self._home = Home(hash_range)
        self._range = hash_range

    def apply(self, part: Sequence[Opened]) -> Decoded:
        """Fold what comes next: decode, refuse what is not at home here, drop duplicates, fold, move the position.

        Returns all that stood in it; its ``rejections`` need a dead letter before the next commit.
        """
        found = decode(part)
        mine = self._at_home(found)
        ours = self._not_for_others(mine)
        new = Events.of(self._seen.only_new(ours.events, ours.arrived_ms))
        self.fold.apply(new)
        occurred = new.envelopes.occurred_ms
        self.lateness.add(occurred, ours.arrived_ms if len(new) == len(ours.events) else _arrived(new, ours))
        self.position = part[-1].end
        was = self.progress
        self.progress = Progress(
            events=was.events + len(new),
            dead_letters=was.dead_letters + len(found.rejections),
            duplicates=was.duplicates + len(mine.events) - len(new),
            foreign=was.foreign + len(found.events) - len(mine.events),
            watermark_ms=max(was.watermark_ms, max(occurred, default=0)),
            arrived_ms=max(was.arrived_ms, part[-1].record.approximate_arrival_timestamp),
        )
        return found

    @property
    def forgotten_ids(self) -> int:
        """Event ids that were forgotten before their time, since this process began."""
        return self._seen.forgotten

    def set_aside(self, event: Opened) -> None:
        """Pass an event over that cannot be folded; it counts as a dead letter."""
        self.position = event.end
        self.progress = msgspec.structs.replace(self.progress, dead_letters=self.progress.dead_letters + 1)

    def changes(self) -> bytes:
        """What changed since the last ``changes`` or ``snapshot``, encoded."""
        return self._encoded(self._seen.changes(), self.fold.changes())

    def snapshot(self) -> bytes:
        """The whole state, encoded."""
        return self._encoded(self._seen.everything(), self.fold.snapshot())

    def _encoded(self, seen: list[SeenChunk], fold: bytes) -> bytes:
        return msgspec.msgpack.encode(StoredState(self.progress, seen, fold, self.lateness.buckets))

    def restore(self, chain: Sequence[bytes], position: Position) -> None:
        """Continue where this shard's last owner committed. Raises Stop when other code's state cannot be read."""
        for link in chain:
            stored = self._merge(link, None)
            self.progress, self.lateness.buckets = stored.progress, stored.lateness
        self.position = position

    def inherit(self, chain: Sequence[bytes]) -> None:
        """Take over, from a parent's last commit, the keyed state of the users that hash into this shard; as ``restore``."""
        for link in chain:
            self._merge(link, Inheritance(self._range))

    def _merge(self, link: bytes, inheritance: Inheritance | None) -> StoredState:
        try:
            stored = msgspec.msgpack.decode(link, type=StoredState)
            self._seen.restore(stored.seen, keys=None if inheritance is None else inheritance.keys)
            self.fold.restore(stored.fold, inheritance)
        except msgspec.MsgspecError as error:
            raise Stop(
                f"{self._application}: this version cannot read the state that another has written ({error}); it is untouched: "
                "deploy the version that wrote it, or see docs/runbook.md"
            ) from error
        return stored

    def _at_home(self, found: Decoded) -> Decoded:
        users = found.events.envelopes.user_ids
        foreign = self._home.foreign(users)
        if not foreign:
            return found
        return _only(found, [n for n, user in enumerate(users) if user not in foreign])

    def _not_for_others(self, found: Decoded) -> Decoded:
        """Without the events that are redriven for another application: here they have taken effect already."""
        marks = found.events.envelopes.redriven_for
        if marks.count(UNSET) == len(marks):
            return found
        return _only(found, [n for n, mark in enumerate(marks) if mark in (UNSET, self._application)])


def _only(found: Decoded, kept: list[int]) -> Decoded:
    return Decoded(Events(found.events[n] for n in kept), [found.arrived_ms[n] for n in kept])


def _arrived(new: Sequence[AnyEvent], among: Decoded) -> list[int]:
    """When these of the events arrived."""
    kept = {id(event) for event in new}
    return [arrived for event, arrived in zip(among.events, among.arrived_ms, strict=True) if id(event) in kept]
