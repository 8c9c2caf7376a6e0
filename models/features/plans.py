"""A feature set, compiled for the engine: what to do per track, and per window of it. Pure.

Sums are exactly rounded (``math.fsum``), so that they depend neither on the order of equal times nor on how the state was cut.
Counts and times since need no values; the engine takes them from the window's bounds.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from math import fsum
from operator import itemgetter
from typing import NamedTuple

from clickstream.models.features.definitions import HOUR_MS, Aggregate, Calendar, FeatureSet, Own, Rolling, Track
from clickstream.models.features.history import Layout

#: Histories expire in steps of this part of their reach.
_STEPS = 16
_DAY_HOURS = 24
#: 1970-01-01 was a Thursday.
_WEEKDAY_OF_EPOCH = 3

Values = list[float]
"""What a window holds of a column, without the missing; at least one."""


def _mean(values: Values) -> float:
    return fsum(values) / len(values)


def _distinct(values: Values) -> float:
    return float(len(set(values)))


def _ratio(earlier: Values, own: float) -> float | None:
    usual = fsum(earlier) / len(earlier)
    return own / usual if usual > 0 else None


def _novel(earlier: Values, own: float) -> float | None:
    return float(own not in earlier)


#: Of all values, the row's own among them.
OF_ALL: dict[Aggregate, Callable[[Values], float]] = {
    Aggregate.SUM: fsum,
    Aggregate.MEAN: _mean,
    Aggregate.DISTINCT: _distinct,
}
#: Of the row's own value beside the earlier ones; None when that says nothing.
OF_OWN: dict[Aggregate, Callable[[Values, float], float | None]] = {
    Aggregate.RATIO: _ratio,
    Aggregate.NOVEL: _novel,
}


class Column(NamedTuple):
    """The features of one column in one window, by their places in the vector."""

    column: int
    field: str
    of_all: tuple[tuple[int, Callable[[Values], float]], ...]
    of_own: tuple[tuple[int, Callable[[Values, float], float | None]], ...]


class Span(NamedTuple):
    """The features that share a window, by their places in the vector."""

    window_ms: int
    delay_ms: int
    counts: tuple[int, ...]
    sinces: tuple[int, ...]
    columns: tuple[Column, ...]


class Alone(NamedTuple):
    """What a row that is the only one in its history tells: ``counts`` are 1; by field the places that show its number, and
    those that show whether there is one."""

    counts: tuple[int, ...]
    columns: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]


class TrackPlan(NamedTuple):
    place: int
    track: Track
    width: int
    """Columns."""
    layout: Layout
    reach_ms: int
    """How far back any window looks, and how late a row may come."""
    step_ms: int
    """What the watermark moves by until histories are trimmed again."""
    spans: tuple[Span, ...]
    alone: Alone


class VectorPlan(NamedTuple):
    """What a vector holds before any history is read: ``empty`` values, and how to fill what the row itself tells."""

    empty: tuple[float, ...]
    own: tuple[tuple[int, str], ...]
    calendar: tuple[tuple[int, Callable[[int], float]], ...]


class Writer(NamedTuple):
    """How a row goes into a track: ``columns`` takes what is kept out of its numbers."""

    place: int
    key: str
    columns: Callable[[Mapping[str, float]], tuple[float, ...]]
    crosses: bool
    layout: Layout


def writers(plans: Sequence[TrackPlan]) -> dict[str, tuple[Writer, ...]]:
    """By kind of row."""
    found: dict[str, tuple[Writer, ...]] = {}
    for place, track, _, layout, *_ in plans:
        writer = Writer(place, track.key, _taker(track.columns), track.crosses, layout)
        for kind in track.kinds:
            found[kind] = (*found.get(kind, ()), writer)
    return found


def _taker(columns: Sequence[str]) -> Callable[[Mapping[str, float]], tuple[float, ...]]:
    match columns:
        case ():
            return lambda _: ()
        case (column,):
            return lambda numbers: (numbers[column],)
        case _:
            return itemgetter(*columns)


def track_plan(features: FeatureSet, place: int) -> TrackPlan:
    track = features.tracks[place]
    by_window: dict[tuple[int, int], list[tuple[int, Rolling]]] = {}
    for at, feature in enumerate(features.features):
        if isinstance(feature, Rolling) and feature.track == track.name:
            by_window.setdefault((feature.window_ms, feature.delay_ms), []).append((at, feature))
    reach_ms = max((window_ms + delay_ms for window_ms, delay_ms in by_window), default=0) + features.lateness_ms
    return TrackPlan(
        place=place,
        track=track,
        width=len(track.columns),
        layout=Layout(len(track.columns), track.limit),
        reach_ms=reach_ms,
        step_ms=max(reach_ms // _STEPS, 1),
        spans=tuple(
            Span(
                window_ms,
                delay_ms,
                tuple(at for at, feature in reads if feature.aggregate is Aggregate.COUNT),
                tuple(at for at, feature in reads if feature.aggregate is Aggregate.SINCE),
                tuple(column for name in track.columns if (column := _column(track, name, reads)) is not None),
            )
            for (window_ms, delay_ms), reads in by_window.items()
        ),
        alone=_alone(track, [read for (_, delay_ms), reads in by_window.items() if not delay_ms for read in reads]),
    )


def _alone(track: Track, reads: list[tuple[int, Rolling]]) -> Alone:
    def places(column: str, *aggregates: Aggregate) -> tuple[int, ...]:
        return tuple(at for at, feature in reads if feature.aggregate in aggregates and feature.column == column)

    columns = ((name, places(name, Aggregate.SUM, Aggregate.MEAN), places(name, Aggregate.DISTINCT)) for name in track.columns)
    return Alone(
        tuple(at for at, feature in reads if feature.aggregate is Aggregate.COUNT),
        tuple((name, values, presences) for name, values, presences in columns if values or presences),
    )


def _column(track: Track, name: str, reads: list[tuple[int, Rolling]]) -> Column | None:
    mine = [(at, feature.aggregate) for at, feature in reads if feature.column == name]
    of_all = tuple((at, OF_ALL[aggregate]) for at, aggregate in mine if aggregate in OF_ALL)
    of_own = tuple((at, OF_OWN[aggregate]) for at, aggregate in mine if aggregate in OF_OWN)
    return Column(track.columns.index(name), name, of_all, of_own) if of_all or of_own else None


def vector_plan(features: FeatureSet, missing: Collection[str] = ()) -> VectorPlan:
    """``missing``: tracks that are not read, whose features stay missing."""
    empty, own, calendar = [], [], []
    for at, feature in enumerate(features.features):
        empty.append(math.nan)
        match feature:
            case Rolling() if feature.track in missing:
                pass
            case Rolling():
                is_count = feature.aggregate is Aggregate.COUNT and math.isnan(feature.empty)
                empty[at] = 0.0 if is_count else feature.empty
            case Own():
                own.append((at, feature.field))
            case Calendar():
                calendar.append((at, CALENDAR[feature.part]))
    return VectorPlan(tuple(empty), tuple(own), tuple(calendar))


def _hour(time_ms: int) -> float:
    return float(time_ms // HOUR_MS % _DAY_HOURS)


def _weekday(time_ms: int) -> float:
    return float((time_ms // HOUR_MS // _DAY_HOURS + _WEEKDAY_OF_EPOCH) % 7)


#: Numbers out of a time (ms, UTC), see :class:`clickstream.models.features.definitions.Calendar.Part`.
CALENDAR: dict[Calendar.Part, Callable[[int], float]] = {
    Calendar.Part.HOUR: _hour,
    Calendar.Part.WEEKDAY: _weekday,
    Calendar.Part.WEEKEND: lambda time_ms: float(_weekday(time_ms) >= 5),
    Calendar.Part.NIGHT: lambda time_ms: float(_hour(time_ms) <= 6),
}
