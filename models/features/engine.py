"""Rows in, vectors of features out: the code that training and serving share. Pure, deterministic, without pandas.

The state is a history per track and key, of at most ``MOST_KEYS`` keys a track. It is encoded as the whole (``snapshot``) or as
the observations that came since (``changes``), and either may be restored for the keys of a hash range only. Histories expire
by event time: an observation is gone when the watermark is a track's longest reach, plus the lateness allowed, beyond it. Rows
that are later than that still get a vector, from what is there.
"""

from collections.abc import Callable

import msgspec

from clickstream.models.features.crossing import NO_PART, Part, seen
from clickstream.models.features.definitions import HOUR_MS, FeatureSet
from clickstream.models.features.history import TIME_SIZE, Value, limit
from clickstream.models.features.plans import track_plan, vector_plan, writers
from clickstream.models.features.reading import Numbers, Row, read
from clickstream.records.kept import kept_hash_key
from clickstream.records.routing import HashRange

#: One row moves the watermark by at most this much, so that a visitor whose clock is years ahead expires nobody's history.
MOST_AHEAD_MS = HOUR_MS
#: A track keeps at most so many keys. Beyond it an eighth goes, so that the search for the oldest is rarely paid.
MOST_KEYS = 1_000_000


class TrackHeader(msgspec.Struct, frozen=True, array_like=True):
    """Says what an encoded state holds: after the definition has changed, tracks that mean something else start empty."""

    name: str
    columns: tuple[str, ...]


class Journal(msgspec.Struct, frozen=True, array_like=True):
    """The observations that were added to one track, in order of arrival: one key, and so many bytes of ``records``, each."""

    keys: list[str]
    records: bytes


class State(msgspec.Struct, frozen=True, array_like=True):
    """A whole state has ``histories``, changes have ``journals``: one per track, by key the bytes of its history."""

    watermark_ms: int
    tracks: tuple[TrackHeader, ...]
    histories: list[dict[str, bytes]]
    journals: list[Journal]


class Unsaved:
    __slots__ = ("keys", "records")

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.records = bytearray()

    def taken(self) -> Journal:
        """All of them, which are saved now."""
        journal = Journal(self.keys.copy(), bytes(self.records))
        self.keys.clear()  # not new ones: the engine's hot path holds on to these
        self.records.clear()
        return journal


class Engine:
    """The state of one feature set over one stream of rows. One that is not ``durable`` keeps no changes to be saved.

    One that sees but a ``shard`` of the stream leaves the features of crossing tracks missing, to be filled in from all
    shards' parts by :class:`clickstream.models.features.crossing.Crossing`, and gives its own parts.
    """

    def __init__(self, features: FeatureSet, *, durable: bool = True, shard: bool = False) -> None:
        self.features = features
        self._durable = durable
        self._plans = tuple(track_plan(features, place) for place in range(len(features.tracks)))
        self._writers = writers(self._plans)
        self._read = tuple(plan for plan in self._plans if not (shard and plan.track.crosses))
        self._vector = vector_plan(features, missing={track.name for track in features.tracks if shard and track.crosses})
        self._crossing = [(place, track.key) for place, track in enumerate(features.tracks) if track.crosses]
        self._prefixes = [seen(track, "") for track in features.tracks]
        #: By track, the keys that were added to and not told since, with the part that was told with a row meanwhile.
        self._touched: tuple[dict[str, Part | None], ...] = tuple({} for _ in features.tracks)
        self._headers = tuple(TrackHeader(track.name, track.columns) for track in features.tracks)
        self._histories: tuple[dict[str, bytes], ...] = tuple({} for _ in features.tracks)
        self._unsaved = tuple(Unsaved() for _ in features.tracks)
        self.forgotten = 0
        """Keys that went because a track was full, since this process began."""
        self._watermark_ms = 0
        #: Observations up to these times are gone. They move in steps, so that sweeping and reading agree on them.
        self._cutoffs_ms = [-plan.reach_ms for plan in self._plans]
        #: The same, to compare histories with.
        self._cutoffs = [limit(cutoff_ms) for cutoff_ms in self._cutoffs_ms]
        self._next_step_ms = 0

    def observe(self, kind: str, time_ms: int, row: Row) -> None:
        self._take(kind, time_ms, row, Numbers(row))

    def observer(self, kind: str) -> Callable[[str, int], None]:
        """``observe(kind, time_ms, {the key's field: key})`` as a function of (key, time_ms), for what happens all the time."""
        places = [writer.place for writer in self._writers.get(kind, ())]
        if len(places) != 1 or self._plans[places[0]].width or self._plans[places[0]].track.crosses:
            raise ValueError(f"{self.features.name}: rows of kind {kind!r} are not a key in one track")
        place, durable = places[0], self._durable
        histories, unsaved, layout = self._histories[place], self._unsaved[place], self._plans[place].layout
        pack, added, size, full = layout.pack, layout.added, layout.size, layout.full
        get, save_key, save_record = histories.get, unsaved.keys.append, unsaved.records.extend

        def observe(key: str, time_ms: int) -> None:
            if time_ms > self._watermark_ms:
                self._advance(time_ms)
            if key:
                record = pack(time_ms)
                history = get(key)
                if history is None:
                    histories[key] = record
                    self._bound(place)
                elif len(history) < full and history[-size:] <= record:  # nearly always; a call less
                    histories[key] = history + record
                else:
                    histories[key] = added(history, record)
                if durable:
                    save_key(key)
                    save_record(record)

        return observe

    def vector(self, kind: str, time_ms: int, row: Row) -> list[float]:
        """Take a row in and compute its features, in the order of ``features.names``; NaN is a missing value."""
        numbers = Numbers(row)
        self._take(kind, time_ms, row, numbers)
        plan = self._vector
        vector = list(plan.empty)
        for place, field in plan.own:
            vector[place] = numbers[field]
        for place, part in plan.calendar:
            vector[place] = part(time_ms)
        for track in self._read:
            key = row.get(track.track.key)
            history = self._histories[track.place].get(key) if isinstance(key, str) else None
            if history is not None:
                read(track, history, self._cutoffs_ms[track.place], time_ms, numbers, kind in track.track.kinds, vector)
        return vector

    def _take(self, kind: str, time_ms: int, row: Row, numbers: Numbers) -> None:
        if time_ms > self._watermark_ms:
            self._advance(time_ms)
        for place, key_field, columns, crosses, layout in self._writers.get(kind, ()):
            key = row.get(key_field)
            if isinstance(key, str) and key:
                record = layout.pack(time_ms, *columns(numbers))
                self._add(place, key, record)
                if self._durable:
                    unsaved = self._unsaved[place]
                    unsaved.keys.append(key)
                    unsaved.records += record
                    if crosses:
                        self._touched[place][key] = None

    def _add(self, place: int, key: str, record: bytes) -> None:
        histories = self._histories[place]
        history = histories.get(key)
        if history is None:
            histories[key] = record
            self._bound(place)
        else:
            histories[key] = self._plans[place].layout.added(history, record)

    def _advance(self, time_ms: int) -> None:
        was_ms = self._watermark_ms
        self._watermark_ms = min(time_ms, was_ms + MOST_AHEAD_MS) if was_ms else time_ms
        if self._watermark_ms >= self._next_step_ms:
            self._step()

    def _step(self) -> None:
        """Move the cutoffs, and forget what they have passed."""
        steps = []
        for plan in self._plans:
            step = self._watermark_ms // plan.step_ms
            steps.append((step + 1) * plan.step_ms)
            cutoff_ms = self._cutoffs_ms[plan.place] = step * plan.step_ms - plan.reach_ms
            self._cutoffs[plan.place] = cutoff = limit(cutoff_ms)
            plan.layout.sweep(self._histories[plan.place], cutoff)
        self._next_step_ms = min(steps, default=0)

    def _bound(self, place: int) -> None:
        """A track has a new key. What goes depends on the observations alone, so a replay forgets the same."""
        histories = self._histories[place]
        if len(histories) > MOST_KEYS:
            self._plans[place].layout.shed(histories, MOST_KEYS // 8)
            self.forgotten += MOST_KEYS // 8

    # what this shard saw of keys that others see

    def parts_of(self, time_ms: int, row: Row) -> tuple[Part, ...]:
        """This shard's parts of the row's crossing histories, one per crossing track; NO_PART where it has no such key."""
        return tuple([self._part_of(place, row.get(key_field), time_ms) for place, key_field in self._crossing])

    def _part_of(self, place: int, key: Value, time_ms: int) -> Part:
        if not isinstance(key, str) or (history := self._histories[place].get(key)) is None:
            return NO_PART
        if time_ms <= self._cutoffs_ms[place]:  # what is there beside it depends on what was swept
            return Part(self._prefixes[place] + key, self._plans[place].layout.latest(history, limit(time_ms)))
        part = self._part(place, key, history)
        touched = self._touched[place]
        if key in touched:
            touched[key] = part
        return part

    def parts(self) -> list[Part]:
        """The parts that were added to since the last call, as they are now."""
        told = []
        for place, _ in self._crossing:
            touched, histories = self._touched[place], self._histories[place]
            for key, part in touched.items():
                if part is not None:
                    told.append(part)
                elif (history := histories.get(key)) is not None:
                    told.append(self._part(place, key, history))
            touched.clear()
        return told

    def _part(self, place: int, key: str, history: bytes) -> Part:
        cutoff = self._cutoffs[place]
        if history[:TIME_SIZE] <= cutoff:
            history = self._plans[place].layout.later(history, cutoff)
        return Part(self._prefixes[place] + key, history)

    # the state, encoded

    def changes(self) -> State:
        """The observations since the last ``changes`` or ``snapshot``; not mutated afterwards."""
        return State(self._watermark_ms, self._headers, [], [unsaved.taken() for unsaved in self._unsaved])

    def snapshot(self) -> State:
        """Every history; the earlier changes are among them. Not mutated afterwards."""
        for unsaved in self._unsaved:
            unsaved.taken()
        return State(self._watermark_ms, self._headers, [histories.copy() for histories in self._histories], [])

    def restore(self, state: State, keys: HashRange | None = None) -> None:
        """Merge a snapshot or changes, in the order in which they were taken; with ``keys``, only keys that hash into it.

        With ``keys`` the parts of crossing histories stay behind as well: the shard that saw them has told them.
        What is restored is no change of this engine's own: its chain goes on from there.
        """
        places = {header: place for place, header in enumerate(self._headers)}
        mine = [places.get(header) for header in state.tracks]
        if keys is not None:
            mine = [None if place is None or self.features.tracks[place].crosses else place for place in mine]
        for place, saved in zip(mine, state.histories, strict=False):  # changes carry no histories
            if place is not None:
                self._histories[place].update(
                    saved if keys is None else {key: history for key, history in saved.items() if kept_hash_key(key) in keys}
                )
        for place, journal in zip(mine, state.journals, strict=False):  # nor a snapshot journals
            if place is not None:
                self._replay(place, journal, keys)
        self._watermark_ms = max(self._watermark_ms, state.watermark_ms)
        self._step()

    def _replay(self, place: int, journal: Journal, keys: HashRange | None) -> None:
        size = self._plans[place].layout.size
        for n, key in enumerate(journal.keys):
            if keys is None or kept_hash_key(key) in keys:
                self._add(place, key, journal.records[n * size : (n + 1) * size])

    def __len__(self) -> int:
        """Histories held."""
        return sum(map(len, self._histories))
