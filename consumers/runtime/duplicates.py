"""Event ids seen in the last minutes: where a producer's retries end.

A retry gives the same event a new sequence number, so only the event id tells. Ids are kept by generation: a generation is a
span of arrival time (Kinesis's clock, so it replays identically), and an id is a duplicate when it was seen in this generation
or in the one before. The horizon is therefore at least one span and at most two, and forgetting is one assignment.

A retry is of the same user. The same id from another user is another event, whether or not both are on one shard: nobody can
have another's event dropped by sending its id first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from clickstream.events import AnyEvent
from clickstream.routing import HashRange, hash_key

#: A client must send its retry within this time.
GENERATION_MS = 5 * 60_000
#: No id holds it.
_SHARED = "\x1f"


class SeenChunk(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Ids of one generation with the users they belong to, which say where they move in a reshard."""

    generation: int
    user_ids: list[str]
    event_ids: list[str]


class SeenEvents:
    """The ids of one shard's last events; pure state, part of every snapshot."""

    def __init__(self) -> None:
        self._generation = -1
        self._now: dict[str, str] = {}
        self._before: dict[str, str] = {}
        self._changes: list[SeenChunk] = []
        self._shared = False
        """Whether several users may have used one id: then ids alone do not tell."""

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
        ids = [event.event_id for event in events]
        distinct = set(ids)
        if (
            self._shared
            or len(distinct) != len(ids)
            or not (self._now.keys().isdisjoint(distinct) and self._before.keys().isdisjoint(distinct))
        ):
            return self._one_by_one(events)
        users = [event.user_id for event in events]
        self._remember(generation, users, ids)
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
                    self._shared = self._shared or _SHARED in event_id
                    target[event_id] = user_id

    def _across_generations(self, events: Sequence[AnyEvent], arrived_ms: Sequence[int]) -> list[AnyEvent]:
        """A batch that lies on a border: event by event, so that the cut into batches changes nothing."""
        new: list[AnyEvent] = []
        for event, arrived in zip(events, arrived_ms, strict=True):
            generation = max(self._generation, arrived // GENERATION_MS)
            if generation != self._generation:
                self._advance(generation)
                # also when nothing in it is new: what is restored from the changes must be as far on in time
                self._remember(generation, [], [])
            new += self._one_by_one([event])
        return new

    def _one_by_one(self, events: Sequence[AnyEvent]) -> list[AnyEvent]:
        new: list[AnyEvent] = []
        keys: list[str] = []
        for event in events:
            key, user_id = event.event_id, event.user_id
            user = self._now.get(key) or self._before.get(key)
            if user is not None and user != user_id:
                self._shared = True
            if self._shared and user != user_id:
                key = f"{key}{_SHARED}{user_id}"
                user = self._now.get(key) or self._before.get(key)
                if user is None and event.event_id not in self._now and event.event_id not in self._before:
                    key = event.event_id
            if user is None:
                self._now[key] = user_id
                new.append(event)
                keys.append(key)
        self._remember(self._generation, [event.user_id for event in new], keys)
        return new

    def _remember(self, generation: int, users: list[str], ids: list[str]) -> None:
        self._now.update(zip(ids, users, strict=True))
        self._changes.append(SeenChunk(generation, users, ids))

    def _advance(self, generation: int) -> None:
        if generation == self._generation:
            return
        self._before = self._now if generation == self._generation + 1 else {}
        self._now = {}
        self._generation = generation
        self._shared = self._shared and any(_SHARED in key for key in self._before)
