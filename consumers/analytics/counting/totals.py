"""Rows added up over a stretch of any length: one window's answer, or a sum that its reader keeps and goes on with. Pure."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from clickstream.answers.uniques import Estimate, Uniques
from clickstream.consumers.analytics.aggregate_rows import RowContent
from clickstream.consumers.analytics.counting.partial import TALLIES
from clickstream.consumers.analytics.counting.sessions import COUNTERS, STAGES
from clickstream.consumers.analytics.ranking import Ranking, Top
from clickstream.consumers.analytics.windows import Granularity


class Funnel(msgspec.Struct, frozen=True):
    """Unique sessions that viewed a product; that added to the cart after a view; that purchased after that."""

    view: int
    cart: int
    purchase: int


class WindowView(msgspec.Struct, frozen=True, kw_only=True):
    """One window's answer. ``revenue`` in minor units by currency; ``tops`` by the names of ``partial.TALLIES``."""

    granularity: str
    start_ms: int
    end_ms: int
    counts: dict[str, int]
    """Events by type."""
    orders: int
    revenue: dict[str, int]
    uniques: Estimate
    funnel: Funnel
    tops: dict[str, Top]


class Total:
    """The sum of some rows of one width (minutes', or hours'). Rows may be added in any order."""

    def __init__(self) -> None:
        self._events: Counter[str] = Counter()
        self._revenue: Counter[str] = Counter()
        self._uniques = Uniques()
        self._funnel = [0] * COUNTERS
        self._rankings = [Ranking() for _ in TALLIES]

    def add(self, row: RowContent) -> None:
        self._events.update(row.events)
        self._revenue.update(row.revenue)
        self._uniques.merge_bytes(row.uniques)
        self._funnel = [mine + more for mine, more in zip(self._funnel, row.funnel, strict=True)]
        for ranking, piece in zip(self._rankings, row.tallies, strict=False):  # an older row has fewer
            ranking.add(piece)

    def merge(self, other: "Total") -> None:
        self._events.update(other._events)
        self._revenue.update(other._revenue)
        self._uniques.merge(other._uniques)
        self._funnel = [mine + more for mine, more in zip(self._funnel, other._funnel, strict=True)]
        for mine, more in zip(self._rankings, other._rankings, strict=True):
            mine.merge(more)

    @property
    def events(self) -> int:
        return sum(self._events.values())

    @property
    def orders(self) -> int:
        return self._events["purchase"]

    @property
    def revenue(self) -> dict[str, int]:
        """Minor units by currency."""
        return dict(sorted(self._revenue.items()))

    def view(self, sessions: Granularity, start_ms: int, end_ms: int, top: int) -> WindowView:
        """The answer for ``[start_ms, end_ms)``, with ``top`` keys per ranking.

        The funnel counts a session once per minute, hour or day of the stretch, as ``sessions`` says; the rows cannot tell
        across longer times.
        """
        # the counters of a row: of the minute, of sessions new to the hour, of sessions new to the day
        first = STAGES * list(Granularity).index(sessions)
        return WindowView(
            granularity=sessions.value,
            start_ms=start_ms,
            end_ms=end_ms,
            counts=dict(sorted(self._events.items())),
            orders=self.orders,
            revenue=self.revenue,
            uniques=self._uniques.estimate(),
            funnel=Funnel(*self._funnel[first : first + STAGES]),
            tops={name: ranking.top(top) for name, ranking in zip(TALLIES, self._rankings, strict=True)},
        )


def answer(granularity: Granularity, start_ms: int, rows: Iterable[RowContent], top: int) -> WindowView:
    """One window's answer from all of its rows (a day's from those of its hours)."""
    total = Total()
    for row in rows:
        total.add(row)
    return total.view(granularity, start_ms, start_ms + granularity.ms, top)
