"""``short`` compares the same application with itself: what is written by hand answers as the short level does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec

from clickstream.answers import Application
from clickstream.answers.uniques import Uniques
from clickstream.events import AnyEvent
from clickstream.load.benchmarks.folding import by_hand, stock
from clickstream.load.benchmarks.folding.short import WISHES, wished
from clickstream.load.benchmarks.harness.sample import sample_events

Answers = dict[tuple[int, str], tuple[int, bytes]]


def _late(sample: Sequence[AnyEvent]) -> list[AnyEvent]:
    """Every tenth comes hours after it happened."""
    return [
        msgspec.structs.replace(event, occurred_at=event.occurred_at - 4 * by_hand.HOUR_MS) if number % 10 == 0 else event
        for number, event in enumerate(sample)
    ]


def _given(fold: Any, sample: Sequence[AnyEvent]) -> list[Any]:
    rows: list[Any] = []
    for start in range(0, len(sample), 700):
        fold.apply(sample[start : start + 700])
        rows += fold.effects(flush=False)
        fold.changes()
    return [*rows, *fold.effects(flush=True)]


def _added_up(rows: dict[tuple[int, int, str], tuple[int, bytes]]) -> Answers:
    counts: dict[tuple[int, str], int] = defaultdict(int)
    people: dict[tuple[int, str], Uniques] = defaultdict(Uniques)
    for (start, _, product), (wishes, wishers) in rows.items():
        counts[start, product] += wishes
        people[start, product].merge_bytes(wishers)
    return {place: (count, people[place].to_bytes()) for place, count in counts.items()}


def test_by_hand_and_short_give_the_same_answers() -> None:
    sample = _late(sample_events(5_000, users=300, products=50))
    short = Application("wishlist", on={"product_view": wished}, answers=[WISHES]).open_fold("shard")
    rows = _given(short, sample)
    ours = _added_up({(row.start_ms, row.late, row.key): (row.cells["wishes"], row.cells["wishers"]) for row in rows})
    by = _given(by_hand.WishesFold(), sample)
    theirs = _added_up({(row.hour, row.late, row.product): (row.wishes, row.wishers) for row in by})
    assert ours == theirs
    assert len(ours) > 50


def test_the_stock_by_hand_and_short_give_the_same_answers() -> None:
    sample = _late(sample_events(5_000, users=300, products=50))
    rows = _given(stock.SHORT.open_fold("shard"), sample)
    ours = {(row.start_ms, row.late, row.key): (row.cells["left"], row.cells["sold"]) for row in rows}
    assert {tuple(row[:3]): tuple(row[3:]) for row in _given(stock.StockFold(), sample)} == ours
    assert len({late for _, late, _ in ours}) > 1


def test_by_hand_goes_on_from_its_changes() -> None:
    sample = _late(sample_events(3_000, users=300, products=50))
    whole, first, second = by_hand.WishesFold(), by_hand.WishesFold(), by_hand.WishesFold()
    whole.apply(sample)
    for start in range(0, 2_000, 500):
        first.apply(sample[start : start + 500])
        second.restore(first.changes(), None)
    second.apply(sample[2_000:])
    rows = {(row.hour, row.late, row.product): row for row in second.effects(flush=True)}
    expected = {(row.hour, row.late, row.product): row for row in whole.effects(flush=True)}
    assert {place: expected[place] for place in rows} == rows
