from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickstream.consumers.analytics.counting.tally import Tally, foremost, leaders

CAPACITY = 5


@pytest.mark.parametrize(
    ("limit", "expected", "left_out"),
    [
        (5, [("d", 9), ("a", 3), ("b", 3), ("c", 3), ("e", 1)], 0),
        (9, [("d", 9), ("a", 3), ("b", 3), ("c", 3), ("e", 1)], 0),
        (3, [("d", 9), ("a", 3), ("b", 3)], 3),
        (4, [("d", 9), ("a", 3), ("b", 3), ("c", 3)], 1),
        (1, [("d", 9)], 3),
        (0, [], 9),
    ],
)
def test_leaders_are_by_count_then_key(limit: int, expected: list[tuple[str, int]], left_out: int) -> None:
    counts = {"c": 3, "e": 1, "b": 3, "d": 9, "a": 3}
    assert leaders(counts, limit) == expected
    assert foremost(counts, limit) == (dict(expected), left_out)


def test_nothing_is_bounded_while_there_is_room() -> None:
    base, fresh = Tally(), Tally()
    fresh.count(list("abcdeabc"), base, CAPACITY)
    assert (dict(fresh.counts), fresh.bound()) == ({"a": 2, "b": 2, "c": 2, "d": 1, "e": 1}, 0)


def test_a_full_tally_counts_the_first_keys_exactly() -> None:
    base, fresh = Tally(), Tally()
    fresh.count(list("abcdefgafff"), base, CAPACITY)
    assert dict(fresh.counts) == {"a": 2, "b": 1, "c": 1, "d": 1, "e": 1}
    assert fresh.bound() >= 4


pieces = st.lists(st.lists(st.tuples(st.sampled_from("abcdefghij"), st.integers(1, 4)), max_size=8), max_size=8)


@given(pieces, st.lists(st.booleans(), min_size=8, max_size=8))
def test_the_sum_of_any_pieces_is_the_whole(pieces: list[list[tuple[str, int]]], merged: list[bool]) -> None:
    """However the counting is cut, and whenever the fresh tally is merged into its base."""
    whole = Tally()
    whole.count_weighted([entry for piece in pieces for entry in piece], Tally(), CAPACITY)
    base, fresh = Tally(), Tally()
    for piece, merge in zip(pieces, merged, strict=False):
        fresh.count_weighted(piece, base, CAPACITY)
        if merge:
            base.merge(fresh)
            fresh = Tally()
    base.merge(fresh)
    assert (dict(base.counts), base.overflow) == (dict(whole.counts), whole.overflow)
    assert list(base.counts) == list(whole.counts)


@given(pieces)
def test_counts_are_exact_and_the_bound_holds(pieces: list[list[tuple[str, int]]]) -> None:
    base, truth = Tally(), Counter[str]()
    for piece in pieces:
        fresh = Tally()
        fresh.count_weighted(piece, base, CAPACITY)
        base.merge(fresh)
        for key, weight in piece:
            truth[key] += weight
    assert len(base.counts) <= CAPACITY
    assert all(truth[key] == count for key, count in base.counts.items())
    assert all(count <= base.bound() for key, count in truth.items() if key not in base.counts)
    assert sum(base.overflow) == truth.total() - base.counts.total()
