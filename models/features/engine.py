"""Rows in, vectors of features out: the code that training and serving share. Pure, deterministic, without pandas.

The state is a history per track and key. It is encoded as the whole (``snapshot``) or as the observations that came since
(``changes``), and either may be restored for the keys of a hash range only. Histories expire by event time: an observation is
gone when the watermark is a track's longest reach, plus the lateness allowed, beyond it. Rows that are later than that still
get a vector, from what is there.
"""

from __future__ import annotations

import msgspec

from clickstream.routing import HashRange, hash_key
from models.features.crossing import NO_PART, Part, part_of, seen
from models.features.definitions import HOUR_MS, FeatureSet
from models.features.history import History, Value, number
from models.features.plans import track_plan, vector_plan
from models.features.reading import Row, read

#: An observation as it is saved: (track, key, time in ms, values).
Observation = tuple[int, str, int, tuple[float, ...]]

#: One row moves the watermark by at most this much, so that a visitor whose clock is years ahead expires nobody's history.
MOST_AHEAD_MS = HOUR_MS


class TrackHeader(msgspec.Struct, frozen=True, array_like=True):
    """Says what an encoded state holds: after the definition has changed, tracks that mean something else start empty."""

    name: str
    columns: tuple[str, ...]


class State(msgspec.Struct, frozen=True, array_like=True):
    """The engine's state, encoded, or its changes. Observations are in order of arrival."""

    watermark_ms: int
    tracks: tuple[TrackHeader, ...]
    histories: list[list[tuple[str, bytes, bytes]]]
    observations: list[Observation]


class Engine:
    """The state of one feature set over one stream of rows. One that is not ``durable`` keeps no changes to be saved.

    One that sees but a ``shard`` of the stream leaves the features of crossing tracks missing, to be filled in from all
    shards' parts by :class:`models.features.crossing.Crossing`, and gives its own parts.
    """

    def __init__(self, features: FeatureSet, *, durable: bool = True, shard: bool = False) -> None:
        self.features = features
        self._durable = durable
        self._plans = tuple(track_plan(features, place) for place in range(len(features.tracks)))
        self._by_kind: dict[str, tuple[tuple[int, str, tuple[str, ...], bool], ...]] = {
            kind: tuple(
                (place, track.key, track.columns, track.crosses)
                for place, track in enumerate(features.tracks)
                if kind in track.kinds
            )
            for kinds in (track.kinds for track in features.tracks)
            for kind in kinds
        }
        self._limits = [track.limit for track in features.tracks]
        self._read = tuple(plan for plan in self._plans if not (shard and plan.track.crosses))
        self._vector = vector_plan(features, missing={track.name for track in features.tracks if shard and track.crosses})
        self._crossing = [(place, track.key) for place, track in enumerate(features.tracks) if track.crosses]
        self._prefixes = [seen(track, "") for track in features.tracks]
        self._touched: set[tuple[int, str]] = set()
        self._headers = tuple(TrackHeader(track.name, track.columns) for track in features.tracks)
        self._histories: tuple[dict[str, History], ...] = tuple({} for _ in features.tracks)
        self._unsaved: list[Observation] = []
        self._watermark_ms = 0
        #: Observations up to these times are gone. They move in steps, so that sweeping and reading agree on them.
        self._cutoffs_ms = [-plan.reach_ms for plan in self._plans]
        self._next_step_ms = 0

    def observe(self, kind: str, time_ms: int, row: Row) -> None:
        """Take a row into the histories."""
        if time_ms > self._watermark_ms:
            self._advance(time_ms)
        for place, key_field, columns, crosses in self._by_kind.get(kind, ()):
            key = row.get(key_field)
            if isinstance(key, str) and key:
                values = tuple([number(row.get(column)) for column in columns]) if columns else ()
                self._insert(place, key, time_ms, values)
                if self._durable:
                    self._unsaved.append((place, key, time_ms, values))
                    if crosses:
                        self._touched.add((place, key))

    def vector(self, kind: str, time_ms: int, row: Row) -> list[float]:
        """Take a row in and compute its features, in the order of ``features.names``; NaN is a missing value."""
        self.observe(kind, time_ms, row)
        plan = self._vector
        vector = list(plan.empty)
        for place, field in plan.own:
            vector[place] = number(row.get(field))
        for place, part in plan.calendar:
            vector[place] = part(time_ms)
        for track in self._read:
            key = row.get(track.track.key)
            history = self._histories[track.place].get(key) if isinstance(key, str) else None
            if history is not None:
                read(track, history, self._cutoffs_ms[track.place], time_ms, row, kind in track.track.kinds, vector)
        return vector

    def _insert(self, place: int, key: str, time_ms: int, values: tuple[float, ...]) -> None:
        histories = self._histories[place]
        history = histories.get(key)
        if history is None:
            histories[key] = History.of(time_ms, values)
            return
        times = history.times
        if times[0] <= self._cutoffs_ms[place] or len(times) >= self._limits[place]:
            history.trim(self._cutoffs_ms[place], self._limits[place] - 1, len(values))
        if times and time_ms >= times[-1]:  # nearly always; a call less
            times.append(time_ms)
            if values:
                history.values.extend(values)
        else:
            history.insert(time_ms, values)

    def _advance(self, time_ms: int) -> None:
        was_ms = self._watermark_ms
        self._watermark_ms = min(time_ms, was_ms + MOST_AHEAD_MS) if was_ms else time_ms
        if self._watermark_ms >= self._next_step_ms:
            self._step()

    def _step(self) -> None:
        """Move the cutoffs, and forget the keys that have done nothing since."""
        steps = []
        for plan in self._plans:
            step = self._watermark_ms // plan.step_ms
            steps.append((step + 1) * plan.step_ms)
            cutoff_ms = self._cutoffs_ms[plan.place] = step * plan.step_ms - plan.reach_ms
            histories = self._histories[plan.place]
            for key in [key for key, history in histories.items() if history.times[-1] <= cutoff_ms]:
                del histories[key]
        self._next_step_ms = min(steps, default=0)

    def parts_of(self, row: Row) -> tuple[Part, ...]:
        """This shard's parts of the row's crossing histories, one per crossing track; NO_PART where it has no such key."""
        return tuple([self._part_of(place, row.get(field)) for place, field in self._crossing])

    def _part_of(self, place: int, key: Value) -> Part:
        history = self._histories[place].get(key) if isinstance(key, str) else None
        if history is None or not isinstance(key, str):
            return NO_PART
        self._touched.discard((place, key))
        return part_of(self._prefixes[place], key, history)

    def parts(self) -> list[Part]:
        """The parts that were added to since the last call, but for those that ``parts_of`` has given since."""
        touched, self._touched = self._touched, set()
        return [
            part_of(self._prefixes[place], key, history)
            for place, key in sorted(touched)
            if (history := self._histories[place].get(key)) is not None
        ]

    # the state, encoded

    def changes(self) -> State:
        """The observations since the last ``changes`` or ``snapshot``; not mutated afterwards."""
        unsaved, self._unsaved = self._unsaved, []
        return State(self._watermark_ms, self._headers, [], unsaved)

    def snapshot(self) -> State:
        """Every history; the earlier changes are among them."""
        self._unsaved = []
        histories = [[(key, *history.encoded()) for key, history in track.items()] for track in self._histories]
        return State(self._watermark_ms, self._headers, histories, [])

    def restore(self, state: State, keys: HashRange | None = None) -> None:
        """Merge a snapshot or changes, in the order in which they were taken; with ``keys``, only keys that hash into it.

        With ``keys`` the parts of crossing histories stay behind as well: the shard that saw them has told them.
        What is restored is no change of this engine's own: its chain goes on from there.
        """
        places = {header: place for place, header in enumerate(self._headers)}
        mine = [places.get(header) for header in state.tracks]
        if keys is not None:
            mine = [None if place is None or self.features.tracks[place].crosses else place for place in mine]
        for place, histories in zip(mine, state.histories, strict=False):  # changes carry no histories
            if place is not None:
                self._histories[place].update(
                    (key, History.decoded(times, values))
                    for key, times, values in histories
                    if keys is None or hash_key(key) in keys
                )
        for track, key, time_ms, values in state.observations:
            if (at := mine[track]) is not None and (keys is None or hash_key(key) in keys):
                self._insert(at, key, time_ms, values)
        self._watermark_ms = max(self._watermark_ms, state.watermark_ms)
        self._step()

    def __len__(self) -> int:
        """Histories held."""
        return sum(map(len, self._histories))
