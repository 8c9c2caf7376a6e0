"""Two hours of a real shop's traffic: every aggregate equals pandas, the rankings exactly."""

from __future__ import annotations

import gzip

import pytest

from clickstream.consumers.analytics.aggregate_rows import MOST_BYTES
from clickstream.consumers.analytics.windows import Granularity
from clickstream.events import AddToCart, AnyEvent, Item, PageView, ProductView, Purchase
from clickstream.settings import from_env
from tests.unit.analytics.oracle import truths
from tests.unit.analytics.test_against_pandas import answers, fold_by_shard


def real_events() -> list[AnyEvent]:
    path = from_env().datasets / "taobao_userbehavior" / "UserBehavior.csv.gz"
    if not path.exists():
        pytest.skip(f"no {path}: set CLICKSTREAM_DATASETS")
    events: list[AnyEvent] = []
    with gzip.open(path, "rt") as lines:
        for number, line in enumerate(lines):
            user, item, category, behavior, seconds = line.strip().split(",")
            at, key = int(seconds) * 1000, str(number)
            match behavior:
                case "pv":
                    event: AnyEvent = ProductView(
                        event_id=key, user_id=user, session_id=user, occurred_at=at, product_id=item, category=category
                    )
                case "cart":
                    event = AddToCart(event_id=key, user_id=user, session_id=user, occurred_at=at, product_id=item)
                case "buy":
                    event = Purchase(
                        event_id=key,
                        user_id=user,
                        session_id=user,
                        occurred_at=at,
                        order_id=key,
                        items=(Item(product_id=item),),
                        amount=int(item) % 10_000,
                        currency="CNY",
                    )
                case _:
                    event = PageView(event_id=key, user_id=user, session_id=user, occurred_at=at)
            events.append(event)
    return events


@pytest.mark.parametrize("shards", [1, 4])
def test_real_traffic_equals_pandas(shards: int) -> None:
    events = real_events()
    table = fold_by_shard(events, shards)
    assert max(len(row.content) for row in table.values()) <= MOST_BYTES
    for granularity in (Granularity.HOUR, Granularity.DAY):
        views = answers(table.values(), granularity, top=50)
        expected = truths(events, granularity.value)
        assert views.keys() == expected.keys()
        for start, truth in expected.items():
            view = views[start]
            assert view.counts == dict(sorted(truth.events.items()))
            assert view.revenue == truth.revenue
            for name, top in view.tops.items():
                assert top.exact, name
                assert top.entries == truth.tops[name][:50]
            assert abs(view.uniques.value / truth.users - 1) < 3 * 0.0163
