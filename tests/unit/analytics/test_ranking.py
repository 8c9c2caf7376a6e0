from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clickstream.answers.uniques import Uniques
from clickstream.consumers.analytics.aggregate_rows import Leaders, RowContent
from clickstream.consumers.analytics.counting.partial import TALLIES
from clickstream.consumers.analytics.counting.sessions import COUNTERS
from clickstream.consumers.analytics.counting.totals import Total
from clickstream.consumers.analytics.ranking import Ranking, Top
from clickstream.consumers.analytics.windows import Granularity


def ranked(pieces: list[Leaders], places: int) -> Top:
    ranking = Ranking()
    for piece in pieces:
        ranking.add(piece)
    return ranking.top(places)


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([Leaders({"a": 2, "b": 1}, 0), Leaders({"b": 3}, 0)], Top([("b", 4), ("a", 2)], True, 0)),
        ([], Top([], True, 0)),
        # what was left out is too small to change the list
        ([Leaders({"a": 9, "b": 8}, 2), Leaders({"a": 9, "b": 8}, 3)], Top([("a", 18), ("b", 16)], True, 0)),
        # a listed key may hold up to 2 more where it was left out
        ([Leaders({"a": 9, "b": 8}, 0), Leaders({"a": 9}, 2)], Top([("a", 18), ("b", 8)], False, 2)),
        # a key that nobody lists may have 5
        ([Leaders({"a": 9, "b": 5}, 5)], Top([("a", 9), ("b", 5)], False, 5)),
        # fewer keys than places: another may exist
        ([Leaders({"a": 9}, 1)], Top([("a", 9)], False, 1)),
        # c is behind by 2, and may hold 2 more and pass b, whose name is greater
        ([Leaders({"a": 9, "x": 8, "c": 6}, 0), Leaders({"a": 3, "x": 3}, 2), Leaders({"c": 3}, 0)],
         Top([("a", 12), ("x", 11)], False, 2)),
        ([Leaders({"a": 9, "b": 8, "c": 6}, 0), Leaders({"a": 3, "b": 3}, 2), Leaders({"c": 3}, 0)],
         Top([("a", 12), ("b", 11)], True, 0)),
    ],
)  # fmt: skip
def test_a_ranking_knows_whether_it_is_exact(pieces: list[Leaders], expected: Top) -> None:
    assert ranked(pieces, 2) == expected


#: What each of some shards truly counted, and how many keys its row lists.
shards = st.lists(
    st.tuples(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 9), max_size=6), st.integers(0, 6)), max_size=4
)


@given(shards, st.integers(1, 4))
@example([({"a": 3, "b": 3}, 1)], 1)
def test_an_exact_ranking_is_the_truth_and_another_is_within_its_bound(
    shards: list[tuple[dict[str, int], int]], top: int
) -> None:
    pieces, truth = [], Counter[str]()
    for counts, listed in shards:
        truth.update(counts)
        ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
        pieces.append(Leaders(dict(ordered[:listed]), max((count for _, count in ordered[listed:]), default=0)))
    answer = ranked(pieces, top)
    expected = sorted(truth.items(), key=lambda entry: (-entry[1], entry[0]))[:top]
    if answer.exact:
        assert answer.entries == expected
    told = dict(answer.entries)
    last = min(told.values()) if len(told) == top else 0
    for key, count in truth.items():
        assert count <= told.get(key, last) + answer.bound
        assert told.get(key, 0) <= count


@given(shards, st.integers(1, 4))
@example([({"a": 9, "b": 8, "c": 1}, 2), ({"a": 9, "b": 8, "c": 1}, 2)], 2)
def test_a_page_and_the_api_judge_a_ranking_alike(shards: list[tuple[dict[str, int], int]], top: int) -> None:
    pieces = []
    for counts, listed in shards:
        entries = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
        pieces.append(Leaders(dict(entries[:listed]), max((count for _, count in entries[listed:]), default=0)))
    total, other = Total(), Total()
    for number, piece in enumerate(pieces):
        row = RowContent(
            events={}, revenue={}, uniques=Uniques().to_bytes(), funnel=[0] * COUNTERS, tallies=[piece for _ in TALLIES]
        )
        (total, other)[number % 2].add(row)
    total.merge(other)
    shown = total.view(Granularity.MINUTE, 0, 60_000, top)
    assert set(shown.tops) == set(TALLIES)
    assert all(each == ranked(pieces, top) for each in shown.tops.values())
