"""What becomes of the observations in a window: one function per aggregate. Pure.

Sums are exactly rounded (``math.fsum``), so that they depend neither on the order of equal times nor on how the state was cut.
"""

from __future__ import annotations

from collections.abc import Callable
from math import fsum
from typing import NamedTuple

from models.features.definitions import Aggregate
from models.features.history import History


class Slice(NamedTuple):
    """Observations ``start`` to ``stop`` of a history, as one row at ``time_ms`` sees them.

    ``own`` is the row's own value of the column (NaN without); ``holds_own``: the row is the slice's last observation.
    """

    history: History
    width: int
    column: int
    start: int
    stop: int
    time_ms: int
    own: float
    holds_own: bool

    def values(self) -> list[float]:
        return self.history.column(self.column, self.width, self.start, self.stop)

    def earlier(self) -> list[float]:
        return self.history.column(self.column, self.width, self.start, self.stop - self.holds_own)


Reduction = Callable[[Slice], float | None]
"""None when there is nothing to aggregate."""


def _count(seen: Slice) -> float | None:
    return float(seen.stop - seen.start) if seen.stop > seen.start else None


def _sum(seen: Slice) -> float | None:
    values = seen.values()
    return fsum(values) if values else None


def _mean(seen: Slice) -> float | None:
    values = seen.values()
    return fsum(values) / len(values) if values else None


def _distinct(seen: Slice) -> float | None:
    values = seen.values()
    return float(len(set(values))) if values else None


def _since(seen: Slice) -> float | None:
    last = seen.stop - 1 - seen.holds_own
    return (seen.time_ms - seen.history.times[last]) / 1000 if last >= seen.start else None


def _ratio(seen: Slice) -> float | None:
    values = seen.earlier()
    usual = fsum(values) / len(values) if values else 0.0
    return seen.own / usual if usual > 0 else None


def _novel(seen: Slice) -> float | None:
    values = seen.earlier()
    return float(seen.own not in values) if values and seen.own == seen.own else None


REDUCTIONS: dict[Aggregate, Reduction] = {
    Aggregate.COUNT: _count,
    Aggregate.SUM: _sum,
    Aggregate.MEAN: _mean,
    Aggregate.DISTINCT: _distinct,
    Aggregate.SINCE: _since,
    Aggregate.RATIO: _ratio,
    Aggregate.NOVEL: _novel,
}
