"""Rows in, vectors of features out: the code that training and serving share. Pure, deterministic, without pandas.

The state is a history per track and key. It is encoded as the whole (``snapshot``) or as the observations that came since
(``changes``), and either may be restored for the keys of a hash range only. Histories expire by event time: an observation is
gone when the watermark is a track's longest reach, plus the lateness allowed, beyond it. Rows that are later than that still
get a vector, from what is there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from clickstream.routing import HashRange, hash_key
from models.features.aggregates import REDUCTIONS, Reduction, Slice
from models.features.definitions import HOUR_MS, Aggregate, Calendar, FeatureSet, Own, Rolling, Track
from models.features.history import History, Value, number

Row = Mapping[str, Value]

#: One row moves the watermark by at most this much, so that a visitor whose clock is years ahead expires nobody's history.
MOST_AHEAD_MS = HOUR_MS
#: Histories expire in steps of this part of their reach.
_STEPS = 16
_WEEKDAY_OF_EPOCH = 3
_DAY_HOURS = 24
_MS_PER_HOUR = 3_600_000


class _Read(NamedTuple):
    """One rolling feature, compiled."""

    place: int
    reduction: Reduction
    column: int
    field: str


class _Span(NamedTuple):
    """The features that share a window."""

    window_ms: int
    delay_ms: int
    reads: tuple[_Read, ...]


class _TrackPlan(NamedTuple):
    place: int
    track: Track
    width: int
    reach_ms: int
    """How far back any window looks, and how late a row may come."""
    spans: tuple[_Span, ...]


class TrackHeader(msgspec.Struct, frozen=True, array_like=True):
    """Says what an encoded state holds: after the definition has changed, tracks that mean something else start empty."""

    name: str
    columns: tuple[str, ...]


class State(msgspec.Struct, frozen=True, array_like=True):
    """The engine's state, encoded, or its changes. Observations are (track, key, time, values), in order of arrival."""

    watermark_ms: int
    tracks: tuple[TrackHeader, ...]
    histories: list[list[tuple[str, bytes, bytes]]]
    observations: list[tuple[int, str, int, tuple[float, ...]]]


class Engine:
    """The state of one feature set over one stream of rows. One that is not ``durable`` keeps no changes to be saved."""

    def __init__(self, features: FeatureSet, *, durable: bool = True) -> None:
        self.features = features
        self._durable = durable
        self._watermark_ms = 0
        self._plans = tuple(_plan(features, index) for index in range(len(features.tracks)))
        self._by_kind = {
            kind: tuple(plan for plan in self._plans if kind in plan.track.kinds)
            for track in features.tracks
            for kind in track.kinds
        }
        self._headers = tuple(TrackHeader(track.name, track.columns) for track in features.tracks)
        self._histories: tuple[dict[str, History], ...] = tuple({} for _ in features.tracks)
        self._swept = [0] * len(features.tracks)
        self._unsaved: list[tuple[int, str, int, tuple[float, ...]]] = []
        self._empty = [feature.empty if isinstance(feature, Rolling) else math.nan for feature in features.features]
        for place, feature in enumerate(features.features):
            if isinstance(feature, Rolling) and feature.aggregate is Aggregate.COUNT and math.isnan(feature.empty):
                self._empty[place] = 0.0

    def observe(self, kind: str, time_ms: int, row: Row) -> None:
        """Take a row into the histories."""
        self._advance(time_ms)
        for plan in self._by_kind.get(kind, ()):
            key = row.get(plan.track.key)
            if isinstance(key, str) and key:
                values = tuple([number(row.get(column)) for column in plan.track.columns])
                self._insert(plan, key, time_ms, values)
                if self._durable:
                    self._unsaved.append((plan.place, key, time_ms, values))

    def vector(self, kind: str, time_ms: int, row: Row) -> list[float]:
        """Take a row in and compute its features, in the order of ``features.names``; NaN is a missing value."""
        self.observe(kind, time_ms, row)
        vector = self._empty.copy()
        for plan in self._plans:
            key = row.get(plan.track.key)
            history = self._histories[plan.place].get(key) if isinstance(key, str) else None
            if history is not None:
                self._read(plan, history, time_ms, row, kind in plan.track.kinds, vector)
        for place, feature in enumerate(self.features.features):
            if isinstance(feature, Own):
                vector[place] = number(row.get(feature.field))
            elif isinstance(feature, Calendar):
                vector[place] = calendar(feature.part, time_ms)
        return vector

    def _read(self, plan: _TrackPlan, history: History, time_ms: int, row: Row, observed: bool, vector: list[float]) -> None:
        # what has expired is not seen, whether or not it was swept; the row itself, just inserted, always is
        cutoff_ms = min(self._cutoff(plan), time_ms - 1) if observed else self._cutoff(plan)
        for window_ms, delay_ms, reads in plan.spans:
            to_ms = time_ms - delay_ms
            start, stop = history.between(max(to_ms - window_ms, cutoff_ms), to_ms)
            for place, reduction, column, field in reads:
                own = number(row.get(field)) if field else math.nan
                seen = Slice(history, plan.width, column, start, stop, time_ms, own, observed and not delay_ms)
                if (value := reduction(seen)) is not None:
                    vector[place] = value

    def _insert(self, plan: _TrackPlan, key: str, time_ms: int, values: Sequence[float]) -> None:
        histories = self._histories[plan.place]
        history = histories.get(key)
        if history is None:
            history = histories[key] = History()
        else:
            history.trim(self._cutoff(plan), plan.track.limit - 1, plan.width)
        history.insert(time_ms, values)

    def _cutoff(self, plan: _TrackPlan) -> int:
        """Observations up to this time are gone. It moves in steps, so that sweeping and reading agree on it."""
        step_ms = plan.reach_ms // _STEPS
        return self._watermark_ms // step_ms * step_ms - plan.reach_ms

    def _advance(self, time_ms: int) -> None:
        if time_ms <= self._watermark_ms:
            return
        was_ms = self._watermark_ms
        self._watermark_ms = min(time_ms, was_ms + MOST_AHEAD_MS) if was_ms else time_ms
        for plan in self._plans:
            step_ms = plan.reach_ms // _STEPS
            if self._watermark_ms // step_ms != was_ms // step_ms:
                self._sweep(plan)

    def _sweep(self, plan: _TrackPlan) -> None:
        cutoff_ms = self._cutoff(plan)
        histories = self._histories[plan.place]
        for key in [key for key, history in histories.items() if history.times[-1] <= cutoff_ms]:
            del histories[key]

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
        """Merge a snapshot or changes, in the order in which they were taken; with ``keys``, only keys that hash into it."""
        places = {header: index for index, header in enumerate(self._headers)}
        mine = [places.get(header) for header in state.tracks]
        for place, histories in zip(mine, state.histories, strict=False):  # changes carry no histories
            if place is not None:
                self._histories[place].update(
                    (key, History.decoded(times, values))
                    for key, times, values in histories
                    if keys is None or hash_key(key) in keys
                )
        for track, key, time_ms, values in state.observations:
            place = mine[track]
            if place is not None and (keys is None or hash_key(key) in keys):
                self._insert(self._plans[place], key, time_ms, values)
        self._watermark_ms = max(self._watermark_ms, state.watermark_ms)
        for plan in self._plans:
            self._sweep(plan)

    def __len__(self) -> int:
        """Histories held."""
        return sum(map(len, self._histories))


def calendar(part: Calendar.Part, time_ms: int) -> float:
    """See :class:`Calendar.Part`; UTC."""
    hours = time_ms // _MS_PER_HOUR
    hour = hours % _DAY_HOURS
    weekday = (hours // _DAY_HOURS + _WEEKDAY_OF_EPOCH) % 7
    match part:
        case Calendar.Part.HOUR:
            return float(hour)
        case Calendar.Part.WEEKDAY:
            return float(weekday)
        case Calendar.Part.WEEKEND:
            return float(weekday >= 5)
        case Calendar.Part.NIGHT:
            return float(hour <= 6)


def _plan(features: FeatureSet, index: int) -> _TrackPlan:
    track = features.tracks[index]
    spans: dict[tuple[int, int], list[_Read]] = {}
    for place, feature in enumerate(features.features):
        if isinstance(feature, Rolling) and feature.track == track.name:
            column = track.columns.index(feature.column) if feature.column else 0
            read = _Read(place, REDUCTIONS[feature.aggregate], column, feature.column)
            spans.setdefault((feature.window_ms, feature.delay_ms), []).append(read)
    reach_ms = max((window_ms + delay_ms for window_ms, delay_ms in spans), default=0) + features.lateness_ms
    return _TrackPlan(
        place=index,
        track=track,
        width=len(track.columns),
        reach_ms=max(reach_ms, _STEPS),
        spans=tuple(_Span(window_ms, delay_ms, tuple(reads)) for (window_ms, delay_ms), reads in spans.items()),
    )
