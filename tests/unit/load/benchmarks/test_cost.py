"""The arithmetic of docs/reference/growth.md, against numbers worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from clickstream.load.benchmarks.folding import cost


def test_a_shard_at_a_thousand_events_a_second_by_hand() -> None:
    bill = cost.bill(1, 1_000)

    # 1.83 lease and checkpoint writes, 9 for a commit, 5 rows of 7 units, a tenth of an hour's row of 7
    assert bill.dynamodb_writes == pytest.approx(46.53)
    # a million events take 1,000 s
    assert bill.dynamodb_usd == pytest.approx(46_530 * 0.625 / 1e6)
    assert bill.s3_usd == pytest.approx(0.005)
    # 5,273 aggregates of 51,200 bytes, which are two units of 25 KiB
    assert bill.kinesis_usd == pytest.approx(0.015 / 3.6 + 10_547 / 1e6 * 0.014, rel=1e-3)
    assert (bill.workers, bill.processes) == (1, 5)


def test_dollars_per_event_do_not_grow_with_the_shards_but_fall_with_their_load() -> None:
    assert cost.bill(1_000, 1_000).usd <= cost.bill(10, 1_000).usd * 1.01
    assert cost.bill(10, 100).usd > 8 * cost.bill(10, 1_000).usd


@pytest.mark.parametrize("rate", [1_000, 100])
def test_the_page_shows_what_the_arithmetic_says(rate: int) -> None:
    page = (Path(__file__).parents[4] / "docs" / "reference" / "growth.md").read_text()
    assert cost.table(rate) in page
