"""Windows for the tests of reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clickstream.answers.uniques import Estimate
from clickstream.consumers.analytics.counting.totals import Funnel
from clickstream.consumers.analytics.views import Top, WindowView

_WIDTH_MS = 3_600_000


def window(
    start_ms: int, counts: Mapping[str, int], revenue: Mapping[str, int], products: Sequence[tuple[str, int]]
) -> WindowView:
    """An hour."""
    return WindowView(
        granularity="hour",
        start_ms=start_ms,
        end_ms=start_ms + _WIDTH_MS,
        counts=dict(counts),
        orders=counts.get("purchase", 0),
        revenue=dict(revenue),
        uniques=Estimate(5.0, 4.0, 6.0),
        funnel=Funnel(4, 2, 1),
        tops={"products": Top(entries=list(products), exact=True, bound=0)},
    )
