"""Rows added up over a stretch of any length, window by window, for readers that keep a sum and go on with it. Pure."""

from __future__ import annotations

from collections import Counter

from consumers.analytics.answers import Funnel, WindowView, ranked
from consumers.analytics.partial import TALLIES
from consumers.analytics.rows import RowContent
from consumers.analytics.sessions import COUNTERS, STAGES
from consumers.analytics.uniques import Uniques
from consumers.analytics.windows import Granularity


class Total:
    """The sum of some rows of one width (minutes', or hours'). Rows may be added in any order."""

    def __init__(self) -> None:
        self._events: Counter[str] = Counter()
        self._revenue: Counter[str] = Counter()
        self._uniques = Uniques()
        self._funnel = [0] * COUNTERS
        self._tallies: list[Counter[str]] = [Counter() for _ in TALLIES]
        self._bounds = [0] * len(TALLIES)
        self._vouched: list[Counter[str]] = [Counter() for _ in TALLIES]

    def add(self, row: RowContent) -> None:
        self._events.update(row.events)
        self._revenue.update(row.revenue)
        self._uniques.merge_bytes(row.uniques)
        self._funnel = [mine + more for mine, more in zip(self._funnel, row.funnel, strict=True)]
        for n, leading in enumerate(row.tallies):
            self._tallies[n].update(leading.counts)
            self._bounds[n] += leading.bound
            if leading.bound:
                self._vouched[n].update(dict.fromkeys(leading.counts, leading.bound))

    def merge(self, other: Total) -> None:
        self._events.update(other._events)
        self._revenue.update(other._revenue)
        self._uniques.merge(other._uniques)
        self._funnel = [mine + more for mine, more in zip(self._funnel, other._funnel, strict=True)]
        for mine, more in zip(self._tallies + self._vouched, other._tallies + other._vouched, strict=True):
            mine.update(more)
        self._bounds = [mine + more for mine, more in zip(self._bounds, other._bounds, strict=True)]

    def copy(self) -> Total:
        """Goes on apart from this one."""
        copied = Total()
        copied.merge(self)
        return copied

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
        across longer times. Whether a ranking is exact is judged as everywhere, by ``ranked``.
        """
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
            tops={
                name: ranked(counts, vouched, bound, top)
                for name, counts, vouched, bound in zip(TALLIES, self._tallies, self._vouched, self._bounds, strict=True)
            },
        )
