"""What becomes of the values in a window: one function per aggregate of values. Pure.

Sums are exactly rounded (``math.fsum``), so that they depend neither on the order of equal times nor on how the state was cut.
Counts and times since need no values; the engine takes them from the window's bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from math import fsum

from models.features.definitions import Aggregate

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
