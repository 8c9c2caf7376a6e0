"""Event ids seen in the last minutes: where a producer's retries end.

A retry gives the same event a new sequence number, so only its id tells. The id is the client's word, so it counts together
with the user: nobody can make another user's event disappear by using its id first, whichever shards the two are on.

Ids are kept by generation: a generation is a span of arrival time (Kinesis's clock, so it replays identically), and an id is a
duplicate when it was seen in this generation or in the one before. The horizon is therefore at least one span and at most two,
and forgetting is one assignment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from clickstream.events import AnyEvent
from clickstream.records.routing import HashRange, hash_key

#: A client must send its retry within this time.
GENERATION_MS = 5 * 60_000


class SeenChunk(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Ids of one generation with the users they belong to, which say where they move in a reshard; as the keys of ``Seen``."""

    generation: int
    user_ids: list[str]
    event_ids: list[str]


Seen = dict[str, str]
"""Event id → user. An id that a second user has used too stands there again as the id, a line feed and that user."""


class SeenEvents:
    """The ids of one shard's last events; pure state, part of every snapshot."""

    def __init__(self) -> None:
        self._generation = -1
        self._now: Seen = {}
        self._before: Seen = {}
        self._changes: list[SeenChunk] = []

    def __len__(self) -> int:
        return len(self._now) + len(self._before)

    def only_new(self, events: Sequence[AnyEvent], arrived_ms: Sequence[int]) -> Sequence[AnyEvent]:
        """The events that are no duplicates, in order; they count as seen from now on.

        ``arrived_ms`` are the events' arrival times; time never goes back here, even when a shard's arrival times do.
        """
        if not events:
            return events
        generation = max(self._generation, max(arrived_ms) // GENERATION_MS)
        if generation != self._generation and min(arrived_ms) // GENERATION_MS < generation:
            return self._across_generations(events, arrived_ms)
        self._advance(generation)
        ids, users = _identities(events)
        distinct = set(ids)
        if len(distinct) == len(ids) and self._now.keys().isdisjoint(distinct) and self._before.keys().isdisjoint(distinct):
            self._now.update(zip(ids, users, strict=True))
        else:
            events = [event for event in events if self._is_new(event)]
            ids, users = _identities(events)
        self._changes.append(SeenChunk(generation, users, ids))
        return events

    def changes(self) -> list[SeenChunk]:
        """What was added since the last call."""
        changes, self._changes = self._changes, []
        return changes

    def everything(self) -> list[SeenChunk]:
        """The whole state, as one chunk per generation; also the point from which the next changes count."""
        self._changes = []
        return [
            SeenChunk(generation, list(seen.values()), list(seen))
            for generation, seen in ((self._generation - 1, self._before), (self._generation, self._now))
            if seen or generation == self._generation
        ]

    def restore(self, chunks: Iterable[SeenChunk], keys: HashRange | None) -> None:
        """Add chunks, of the users within ``keys`` only, if given; several parents' chunks may come in any order."""
        for chunk in chunks:
            if chunk.generation > self._generation:
                self._advance(chunk.generation)
            if chunk.generation < self._generation - 1:
                continue
            target = self._now if chunk.generation == self._generation else self._before
            for user_id, event_id in zip(chunk.user_ids, chunk.event_ids, strict=True):
                if keys is None or hash_key(user_id) in keys:
                    # two parents may bring one id of two users
                    _add(target, event_id.partition("\n")[0], user_id)

    def _across_generations(self, events: Sequence[AnyEvent], arrived_ms: Sequence[int]) -> list[AnyEvent]:
        """A batch that lies on a border: event by event, so that the cut into batches changes nothing."""
        new: list[AnyEvent] = []
        for event, arrived in zip(events, arrived_ms, strict=True):
            generation = max(self._generation, arrived // GENERATION_MS)
            if generation != self._generation:
                self._advance(generation)
                # also when nothing in it is new: what is restored from the changes must be as far on in time
                self._changes.append(SeenChunk(generation, [], []))
            if self._is_new(event):
                new.append(event)
                self._changes.append(SeenChunk(generation, [event.user_id], [event.event_id]))
        return new

    def _is_new(self, event: AnyEvent) -> bool:
        """Whether this user has not used this id; it has from now on."""
        event_id, user_id = event.event_id, event.user_id
        if _holds(self._now, event_id, user_id) or _holds(self._before, event_id, user_id):
            return False
        _add(self._now, event_id, user_id)
        return True

    def _advance(self, generation: int) -> None:
        if generation == self._generation:
            return
        self._before = self._now if generation == self._generation + 1 else {}
        self._now = {}
        self._generation = generation


def _identities(events: Sequence[AnyEvent]) -> tuple[list[str], list[str]]:
    return [event.event_id for event in events], [event.user_id for event in events]


def _holds(seen: Seen, event_id: str, user_id: str) -> bool:
    holder = seen.get(event_id)
    return holder is not None and (holder == user_id or f"{event_id}\n{user_id}" in seen)


def _add(seen: Seen, event_id: str, user_id: str) -> None:
    if seen.setdefault(event_id, user_id) != user_id:
        seen[f"{event_id}\n{user_id}"] = user_id
