"""Cells add up whatever the order and the pieces; what they say is near the truth that plain Python knows."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clickstream.answers.cells import Cell, Count, Distinct, Max, Min, Quantiles, Sum, Top

ints = st.integers(-(10**12), 10**12)
numbers = st.one_of(ints, st.floats(-1e20, 1e20))
prices = st.one_of(st.integers(0, 10**12), st.floats(2.0**-32, 2.0**64, exclude_max=True), st.just(0))
keys = st.sampled_from([f"key-{n}" for n in range(12)])
CELLS: list[tuple[Cell[Any], st.SearchStrategy[Any]]] = [
    (Count(), st.integers(0, 10**12)),
    (Sum(), ints),
    (Min(), numbers),
    (Max(), numbers),
    (Distinct(), st.text(min_size=1)),
    (Quantiles(), prices),
]


def state_of(cell: Cell[Any], values: list[Any]) -> Any:
    state = cell.empty()
    for value in values:
        state = cell.add(state, value)
    return state


def stored(cell: Cell[Any], values: list[Any]) -> Any:
    return cell.unpack(cell.pack(state_of(cell, values)))


@pytest.mark.parametrize(("cell", "values"), CELLS, ids=lambda of: getattr(of, "kind", ""))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_pieces_in_any_order_merge_to_the_whole(cell: Cell[Any], values: st.SearchStrategy[Any], data: st.DataObject) -> None:
    drawn = data.draw(st.lists(values, max_size=40))
    owners = data.draw(st.lists(st.integers(0, 3), min_size=len(drawn), max_size=len(drawn)))
    merged = cell.empty()
    for piece in data.draw(st.permutations(range(4))):
        mine = [value for value, owner in zip(drawn, owners, strict=True) if owner == piece]
        merged = cell.merge(merged, stored(cell, mine[::-1]))
    whole = state_of(cell, drawn)
    assert cell.pack(merged) == cell.pack(whole)
    assert repr(cell.pack(merged)) == repr(cell.pack(whole))  # 1 == 1.0, which are two values in a store
    assert cell.read(merged) == cell.read(whole)


@settings(max_examples=200, deadline=None)
@given(st.lists(prices, min_size=1, max_size=80), st.floats(0, 1))
def test_a_quantile_is_within_a_hundredth_of_an_exact_one(values: list[float], at: float) -> None:
    cell = Quantiles()
    exact = sorted(values)[int(at * (len(values) - 1))]
    assert abs(cell.quantile(stored(cell, values), at) - exact) <= exact / 100


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(st.tuples(keys, st.integers(0, 5)), max_size=40), min_size=1, max_size=3), st.integers(1, 12))
def test_the_truth_of_a_top_key_is_within_its_bounds(parts: list[list[tuple[str, int]]], capacity: int) -> None:
    cell = Top(5)
    cell.capacity = capacity
    merged = stored(cell, parts[0])
    for part in parts[1:]:
        merged = cell.merge(stored(cell, part), merged)
    truth: Counter[str] = Counter()
    for part in parts:
        for key, weight in part:
            truth[key] += weight
    answers = cell.read(merged)
    assert all(int(answer["count"]) <= truth[str(answer["key"])] <= int(answer["most"]) for answer in answers)
    if capacity == 12:
        exact = sorted(({key for part in parts for key, _ in part}), key=lambda key: (-truth[key], key))[:5]
        assert answers == [{"key": key, "count": truth[key], "most": truth[key]} for key in exact]
