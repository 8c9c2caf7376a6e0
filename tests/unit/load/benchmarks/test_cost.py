"""The arithmetic of docs/reference/growth.md, against numbers worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from clickstream.load.benchmarks.folding import cost, counted
from clickstream.load.simulation.world import quiet


def test_a_shard_at_a_thousand_events_a_second_by_hand() -> None:
    bill = cost.bill(1, 1_000)

    # 1.5 renewals, a checkpoint every 20 s, 4 rows that move; every 20 s 3 minutes of 10.3 units, 2/9 hours of 20, and the item
    # of 2.4 three times
    assert bill.dynamodb_writes == pytest.approx(1.5 + 0.05 + 4 + (3 * 10.3 + 2 / 9 * 20 + 3 * 2.4) / 20)
    # a million events take 1,000 s
    assert bill.dynamodb_usd == pytest.approx(bill.dynamodb_writes * 0.625 / 1e3)
    assert bill.s3_usd == pytest.approx(50 * 0.005 / 1_000)
    # 5,000 records of a unit each
    assert bill.kinesis_usd == pytest.approx(0.015 / 3.6 + 5_000 / 1e6 * 0.014)
    assert (bill.workers, bill.processes) == (1, 5)


def test_a_million_events_cost_a_cent_and_less_than_half_of_it_on_a_full_shard() -> None:
    assert cost.bill(10, 1_000).usd <= 0.010
    assert cost.bill(10, 5_000).usd <= 0.004


def test_the_arithmetic_is_what_a_run_writes() -> None:
    """Three minutes of the load generator's traffic, with its late events, against the runtime and its stores' own code."""
    rate, seconds = 100, 200
    with quiet():
        written = counted.count(counted.traffic(rate, seconds))
    expected = cost.calls(rate)
    for kind, per_second in expected.items():
        assert written.calls[kind] == pytest.approx(per_second * seconds, rel=0.25, abs=3), kind
    # rows are smaller at a tenth of the rate, and a shard's first chain of changes is short
    assert {kind for kind, units in cost.UNITS.items() if written.units[kind] > 1.05 * units * written.calls[kind]} == set()
    assert written.units["moving"] == written.calls["moving"]


def test_dollars_per_event_do_not_grow_with_the_shards_but_fall_with_their_load() -> None:
    assert cost.bill(1_000, 1_000).usd <= cost.bill(10, 1_000).usd * 1.01
    assert cost.bill(10, 100).usd > 8 * cost.bill(10, 1_000).usd


@pytest.mark.parametrize("rate", [5_000, 1_000, 100])
def test_the_page_shows_what_the_arithmetic_says(rate: int) -> None:
    page = (Path(__file__).parents[4] / "docs" / "reference" / "growth.md").read_text()
    assert cost.table(rate) in page
