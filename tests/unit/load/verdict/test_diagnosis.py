"""Each way in which analytics can be wrong has its own sentence."""

from __future__ import annotations

import msgspec
import pytest

from clickstream.load.verdict.comparers import diagnosis
from clickstream.load.verdict.comparers.aggregates import Totals, Truth, Window
from clickstream.load.verdict.comparers.compared import Compared

FIRST, SECOND = Window("minute", 1_700_000_040_000), Window("minute", 1_700_000_100_000)
HOUR = Window("hour", 1_699_999_200_000)
ONE = Totals(events={"product_view": 10, "login": 4}, uniques=5, funnel=(6, 3, 1), products=[("p1", 6), ("p2", 4)])
TWO = Totals(events={"product_view": 20}, uniques=9, funnel=(9, 0, 0), products=[("p1", 20)])
EXPECTED = {FIRST: ONE, SECOND: TWO, HOUR: Totals(events={"product_view": 30, "login": 4}, uniques=10, funnel=(15, 3, 1))}


def _with(window: Window, totals: Totals) -> dict[Window, Totals]:
    return EXPECTED | {window: totals}


def compare(
    expected: dict[Window, Totals],
    answered: dict[Window, Totals],
    foreign: frozenset[Window] = frozenset(),
    not_followed: int = 0,
) -> Compared:
    return diagnosis.compare(Truth(windows=expected, foreign=foreign, not_followed=not_followed), answered)


def _changed(totals: Totals, **changes: object) -> Totals:
    return msgspec.structs.replace(totals, **changes)


def test_equal_answers_are_exact() -> None:
    compared = compare(EXPECTED, dict(EXPECTED))

    assert compared.is_exact
    assert compared.compared == 3


def test_one_event_that_is_missing_is_lost_and_named() -> None:
    compared = compare(EXPECTED, _with(FIRST, _changed(ONE, events={"product_view": 9, "login": 4})))

    assert (compared.lost, compared.duplicated, compared.is_exact) == (1, 0, False)
    assert compared.problems[0] == f"analytics lost 1 event: 1 product_view in {FIRST}"


def test_one_event_too_many_is_counted_twice_and_named() -> None:
    compared = compare(EXPECTED, _with(SECOND, _changed(TWO, events={"product_view": 21})))

    assert (compared.lost, compared.duplicated) == (0, 1)
    assert compared.problems[0] == f"analytics counted 1 event more often than once: 1 product_view in {SECOND}"


def test_counts_that_are_right_with_a_funnel_that_is_not_are_swapped_visitors() -> None:
    compared = compare(EXPECTED, _with(FIRST, _changed(ONE, funnel=(7, 2, 1))))

    assert (compared.lost, compared.duplicated) == (0, 0)
    assert "analytics swapped visitors: every event is counted, but 2 steps of sessions" in compared.problems[0]
    assert f"{FIRST} (6, 3, 1) became (7, 2, 1)" in compared.problems[0]


def test_a_funnel_that_only_follows_from_a_lost_event_is_no_swap() -> None:
    compared = compare(EXPECTED, _with(FIRST, _changed(ONE, events={"product_view": 9, "login": 4}, funnel=(5, 3, 1))))

    assert not any("swapped" in problem for problem in compared.problems)


def test_events_in_the_wrong_window_are_lost_there_and_too_many_here() -> None:
    answered = _with(FIRST, _changed(ONE, events={"product_view": 9, "login": 4}))
    answered |= {SECOND: _changed(TWO, events={"product_view": 21})}

    compared = compare(EXPECTED, answered)

    assert (compared.lost, compared.duplicated) == (1, 1)
    assert any("another window" in problem for problem in compared.problems)


def test_a_whole_window_that_is_missing_is_all_its_events() -> None:
    compared = compare(EXPECTED, {window: totals for window, totals in EXPECTED.items() if window != FIRST})

    assert compared.lost == 14


@pytest.mark.parametrize("changes", [{"revenue": {"EUR": 1}}, {"products": [("p2", 6)]}, {"uniques": 900.0}, {"orders": 2}])
def test_any_other_difference_is_told_as_it_is(changes: dict[str, object]) -> None:
    compared = compare(EXPECTED, _with(FIRST, _changed(ONE, **changes)))

    assert not compared.is_exact
    assert (compared.lost, compared.duplicated) == (0, 0)
    assert str(FIRST) in compared.problems[0]


def test_foreign_windows_and_funnels_that_are_not_defined_are_left_out_and_counted() -> None:
    foreign = compare(EXPECTED, {}, foreign=frozenset(EXPECTED))
    unclear = compare(_with(FIRST, _changed(ONE, funnel=None)), EXPECTED)

    assert foreign.is_exact
    assert (foreign.compared, list(foreign.left_out.values())) == (0, [3])
    assert unclear.is_exact
    assert (unclear.compared, list(unclear.left_out.values())) == (3, [1])
