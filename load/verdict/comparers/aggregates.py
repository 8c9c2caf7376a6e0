"""What a window's answer says, in a form that belongs to neither side of a comparison, and the comparison itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from math import sqrt

import msgspec

#: Name → width in milliseconds; windows are aligned to the epoch, UTC.
GRANULARITIES: dict[str, int] = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
#: How many leaders of each ranking are compared.
TOP = 20
#: Standard error of the platform's stated sketch (HLL with 2**12 registers), and how many of them are still no difference.
UNIQUES_RELATIVE_ERROR = 1.04 / sqrt(4096)
UNIQUES_SIGMAS = 3

RANKINGS = ("products", "categories", "carted", "bought", "searches")
Ranking = list[tuple[str, int]]


class Window(msgspec.Struct, frozen=True, order=True):
    """A tumbling window of event time."""

    granularity: str
    start_ms: int

    def __str__(self) -> str:
        start = datetime.fromtimestamp(self.start_ms / 1000, UTC)
        return f"{self.granularity} {start:%Y-%m-%dT%H:%MZ}"


class Totals(msgspec.Struct, kw_only=True):
    """A window's aggregates. Rankings are by count descending, then by key ascending; what is zero is absent."""

    events: dict[str, int] = {}
    """Event type to count."""
    orders: int = 0
    revenue: dict[str, int] = {}
    """Currency to minor units."""
    uniques: float = 0
    """Distinct visitors: exact from an oracle, estimated by the platform."""
    products: Ranking = []
    """By views; categories too."""
    categories: Ranking = []
    carted: Ranking = []
    """By pieces, and so are those bought."""
    bought: Ranking = []
    searches: Ranking = []
    funnel: tuple[int, int, int] | None = (0, 0, 0)
    """Sessions that viewed; that carted after a view; that purchased after carting. None: not defined, see the oracle."""


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What the windows must be."""

    windows: Mapping[Window, Totals]
    foreign: frozenset[Window] = frozenset()
    """Windows of which this is not known, since they hold events of others."""
    not_followed: int = 0
    """Sessions that pause or last for too long; see the oracle."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One aggregate of one window that is not what it must be; both sides as text."""

    window: str
    aggregate: str
    expected: str
    answered: str

    def __str__(self) -> str:
        return f"{self.window} {self.aggregate}: expected {self.expected}, answered {self.answered}"


def differences(
    expected: Mapping[Window, Totals], answered: Mapping[Window, Totals], *, foreign: Iterable[Window] = ()
) -> list[Difference]:
    """Every aggregate that differs, in the order of the windows. ``foreign`` windows hold others' events too: left out."""
    left_out = set(foreign)
    found: list[Difference] = []
    for window in sorted((expected.keys() | answered.keys()) - left_out):
        must, has = expected.get(window), answered.get(window)
        if must is None or has is None:
            if (must or has) != Totals():
                found.append(Difference(window=str(window), aggregate="window", expected=_told(must), answered=_told(has)))
            continue
        found += _compared(window, must, has)
    return found


def _told(totals: Totals | None) -> str:
    return "nothing" if totals is None else f"{sum(totals.events.values())} events"


def _compared(window: Window, must: Totals, has: Totals) -> list[Difference]:
    pairs: list[tuple[str, object, object]] = [
        ("events", _without_zeros(must.events), _without_zeros(has.events)),
        ("orders", must.orders, has.orders),
        ("revenue", _without_zeros(must.revenue), _without_zeros(has.revenue)),
        ("funnel", must.funnel, has.funnel if must.funnel is not None else None),
    ]
    pairs += [
        (f"{name}[{place}]", one, other)
        for name in RANKINGS
        for place, one, other in _unequal_places(getattr(must, name), getattr(has, name))
    ]
    if not within_sketch_error(must.uniques, has.uniques):
        pairs.append(("uniques", must.uniques, has.uniques))
    return [
        Difference(window=str(window), aggregate=name, expected=str(one), answered=str(other))
        for name, one, other in pairs
        if one != other
    ]


def _without_zeros(counts: Mapping[str, int]) -> dict[str, int]:
    return {key: count for key, count in sorted(counts.items()) if count}


def _unequal_places(must: Ranking, has: Ranking) -> list[tuple[int, object, object]]:
    """(place from 1, expected, answered) of the first place where the rankings part: the rest only follows from it."""
    for place in range(min(TOP, max(len(must), len(has)))):
        one = must[place] if place < len(must) else None
        other = has[place] if place < len(has) else None
        if one != other:
            return [(place + 1, one, other)]
    return []


def within_sketch_error(exact: float, estimate: float) -> bool:
    """Whether an estimate is as near as the sketch promises; below one visitor an estimate may round to the other side."""
    return abs(estimate - exact) <= max(UNIQUES_SIGMAS * UNIQUES_RELATIVE_ERROR * exact, 0.5)
