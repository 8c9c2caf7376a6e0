"""Every aggregate of every window equals batch pandas over the same events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import pytest

from clickstream.consumers.analytics import aggregate_rows
from clickstream.consumers.analytics.aggregate_rows import Row, RowContent
from clickstream.consumers.analytics.counting.totals import WindowView, answer
from clickstream.consumers.analytics.fold import AnalyticsFold
from clickstream.consumers.analytics.windows import Granularity, start_of
from clickstream.events import AnyEvent
from clickstream.records.routing import hash_key
from tests.unit.analytics.oracle import truths
from tests.unit.analytics.traffic import START_MS, traffic

BATCH = 97


def fold_by_shard(events: list[AnyEvent], shards: int) -> dict[tuple[str, str], Row]:
    """The last row of every (window, part), as the table would hold it."""
    table: dict[tuple[str, str], Row] = {}
    for number in range(shards):
        own = [event for event in events if hash_key(event.user_id)[0] % shards == number]
        fold = AnalyticsFold(f"shardId-{number:012d}")
        for start in range(0, len(own), BATCH):
            fold.apply(own[start : start + BATCH])
            table |= {(row.window, row.part): row for row in fold.effects(flush=False)}
        table |= {(row.window, row.part): row for row in fold.effects(flush=True)}
    return table


def answers(table: Iterable[Row], granularity: Granularity, top: int) -> dict[int, WindowView]:
    stored = "minute#" if granularity is Granularity.MINUTE else "hour#"
    contents: dict[int, list[RowContent]] = defaultdict(list)
    for row in table:
        if row.window.startswith(stored):
            contents[granularity.floor_ms(start_of(row.part))].append(aggregate_rows.decode(row.content))
    return {start: answer(granularity, start, parts, top) for start, parts in contents.items()}


@pytest.mark.parametrize("granularity", list(Granularity))
@pytest.mark.parametrize(
    ("shards", "late_ms"),
    [
        (1, 1),
        (3, 240_000),
        # far past the retention of a minute, and of the hour and day that end here
        (2, 3_000_000),
    ],
)
def test_all_aggregates_equal_pandas(granularity: Granularity, shards: int, late_ms: int) -> None:
    events = traffic(shards, 1_500, late_ms=late_ms)
    views = answers(fold_by_shard(events, shards).values(), granularity, top=1000)
    expected = truths(events, granularity.value)

    assert views.keys() == expected.keys()
    for start, truth in expected.items():
        view = views[start]
        assert view.counts == dict(sorted(truth.events.items()))
        assert view.orders == truth.events.get("purchase", 0)
        assert view.revenue == dict(sorted(truth.revenue.items()))
        assert round(view.uniques.value) == truth.users  # a sketch of few keys is exact
        assert {name: top.entries for name, top in view.tops.items()} == truth.tops
        assert all(top.exact for top in view.tops.values())
        assert (view.funnel.view, view.funnel.cart, view.funnel.purchase) == truth.funnel


def test_late_events_open_new_parts_of_closed_windows() -> None:
    table = fold_by_shard(traffic(2, 1_500, late_ms=3_000_000), 1)
    late = [part for _, part in table if not part.endswith("#0")]
    assert late, "the traffic above must exercise late parts"


def test_many_visitors_are_estimated_within_the_stated_error() -> None:
    events = traffic(5, 30_000, users=9_000, step_ms=20, late_ms=1)
    day = answers(fold_by_shard(events, 3).values(), Granularity.DAY, top=1)
    (view,) = (view for start, view in day.items() if start == Granularity.DAY.floor_ms(START_MS))
    users = truths(events, "day")[view.start_ms].users
    assert view.uniques.low < view.uniques.value < view.uniques.high
    assert abs(view.uniques.value / users - 1) < 3 * 0.0163
