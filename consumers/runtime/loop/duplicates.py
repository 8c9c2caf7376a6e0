"""Event ids seen in the last minutes: where a producer's retries end.

A retry gives the same event a new sequence number, so only its id tells. The id is the client's word, so it counts together
with the user: nobody can make another user's event disappear by using its id first, whichever shards the two are on.

Ids are kept by generation: a generation is a span of arrival time (Kinesis's clock, so it replays identically), and an id is a
duplicate when it was seen in this generation or in the one before. The horizon is therefore at least one span and at most two,
and forgetting is one assignment.

Memory is bounded whatever clients send: an id or a user that is long or not ASCII is kept as its digest, and a generation ends
early when it holds half of ``MOST_IDS``, so that the oldest are forgotten before their time, which ``forgotten`` counts. Both
follow from the order of the events alone.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import accumulate, groupby, islice
from operator import itemgetter

import msgspec

from clickstream.events import AnyEvent, Events
from clickstream.records.kept import all_kept, kept, kept_hash_key, kept_user
from clickstream.records.routing import HashRange

#: A client must send its retry within this time.
GENERATION_MS = 5 * 60_000
#: Of both generations, at 180 to 300 bytes each: five minutes are whole at 5,000 events a second, a full shard's of 200 bytes.
MOST_IDS = 3_000_000


class SeenChunk(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Ids of one generation with the users they belong to, which say where they move in a reshard; as ``Seen`` keeps them."""

    generation: int
    user_ids: Sequence[str]
    event_ids: Sequence[str]


Seen = dict[str, str]
"""Event id → user. An id that a second user has used too stands there again as the id, a line feed and that user."""


class SeenEvents:
    """The ids of one shard's last events; pure state, part of every snapshot."""

    def __init__(self, most: int = MOST_IDS) -> None:
        self.forgotten = 0
        """Ids that were forgotten before their time, since this process began."""
        self._full = most // 2
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
        newest = max(self._generation, max(arrived_ms) // GENERATION_MS)
        if newest == self._generation or min(arrived_ms) // GENERATION_MS == newest:
            return self._only_new(events, newest)
        # on a border: run by run, so that the cut into batches changes nothing
        generations = accumulate((arrived // GENERATION_MS for arrived in arrived_ms), max, initial=self._generation)
        runs = groupby(zip(events, islice(generations, 1, None), strict=True), key=itemgetter(1))
        return [event for generation, run in runs for event in self._only_new([event for event, _ in run], generation)]

    def _only_new(self, events: Sequence[AnyEvent], generation: int) -> Sequence[AnyEvent]:
        self._advance(generation)
        envelopes = Events.of(events).envelopes
        ids, users = all_kept(envelopes.event_ids), all_kept(envelopes.user_ids, kept_user)
        if len(self._now) + len(ids) > self._full or not self._all_taken_in(ids, users):
            events, ids, users = self._one_by_one(events, ids, users)
        # also when nothing in it is new: what is restored from the changes must be as far on in time
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
            is_now = chunk.generation == self._generation
            for user_id, event_id in zip(chunk.user_ids, chunk.event_ids, strict=True):
                if keys is None or kept_hash_key(user_id) in keys:
                    # two parents may bring one id of two users; an older version kept ids of any length as they are
                    self._take_in(kept(event_id.partition("\n")[0]), kept_user(user_id), is_now=is_now)

    def _all_taken_in(self, ids: Sequence[str], users: Sequence[str]) -> bool:
        """Whether all of these ids are new; if not, none is taken in."""
        if not self._before.keys().isdisjoint(ids):
            return False
        now, size = self._now, len(self._now)
        # one look-up for each id: in a large dict it waits for memory
        deque(map(now.setdefault, ids, users), maxlen=0)
        if len(now) == size + len(ids):
            return True
        while len(now) > size:  # a dict gives back first what came last
            now.popitem()
        return False

    def _one_by_one(
        self, events: Sequence[AnyEvent], ids: Sequence[str], users: Sequence[str]
    ) -> tuple[list[AnyEvent], list[str], list[str]]:
        """Those that are new, with their ids and users."""
        new: tuple[list[AnyEvent], list[str], list[str]] = [], [], []
        for event, event_id, user_id in zip(events, ids, users, strict=True):
            if not (_holds(self._now, event_id, user_id) or _holds(self._before, event_id, user_id)):
                self._take_in(event_id, user_id, is_now=True)
                new[0].append(event)
                new[1].append(event_id)
                new[2].append(user_id)
        return new

    def _take_in(self, event_id: str, user_id: str, *, is_now: bool) -> None:
        """What is forgotten for it depends on the ids' number alone: whoever takes them in again forgets the same."""
        if is_now and len(self._now) >= self._full:
            self.forgotten += len(self._before)
            self._before, self._now = self._now, {}
        if is_now or len(self._before) < self._full:
            _add(self._now if is_now else self._before, event_id, user_id)
        else:  # of two parents
            self.forgotten += 1

    def _advance(self, generation: int) -> None:
        if generation == self._generation:
            return
        self._before = self._now if generation == self._generation + 1 else {}
        self._now = {}
        self._generation = generation


def _holds(seen: Seen, event_id: str, user_id: str) -> bool:
    holder = seen.get(event_id)
    return holder is not None and (holder == user_id or f"{event_id}\n{user_id}" in seen)


def _add(seen: Seen, event_id: str, user_id: str) -> None:
    if seen.setdefault(event_id, user_id) != user_id:
        seen[f"{event_id}\n{user_id}"] = user_id
