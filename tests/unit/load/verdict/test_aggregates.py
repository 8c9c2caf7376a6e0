"""The comparison finds every kind of difference, and none where there is none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from clickstream.load.verdict.comparers.aggregates import Totals, Window, differences, within_sketch_error

WINDOW = Window("minute", 1_700_000_040_000)
RIGHT = Totals(
    events={"product_view": 5, "purchase": 1},
    revenue={"EUR": 100},
    uniques=100,
    orders=1,
    products=[("p1", 3), ("p2", 2)],
    carted=[("p1", 2)],
    bought=[("p1", 1)],
    categories=[("c", 5)],
    searches=[("tea", 1)],
    funnel=(3, 2, 1),
)


def test_equal_answers_have_no_difference() -> None:
    answered = msgspec.structs.replace(RIGHT, events={"purchase": 1, "product_view": 5, "login": 0}, uniques=102.4)

    assert differences({WINDOW: RIGHT}, {WINDOW: answered}) == []


@pytest.mark.parametrize(
    ("change", "aggregate"),
    [
        ({"events": {"product_view": 4, "purchase": 1}}, "events"),
        ({"revenue": {"EUR": 99}}, "revenue"),
        ({"revenue": {"EUR": 100, "USD": 1}}, "revenue"),
        ({"uniques": 105.0}, "uniques"),
        ({"products": [("p2", 3), ("p1", 2)]}, "products[1]"),
        ({"products": [("p1", 3)]}, "products[2]"),
        ({"products": [("p1", 3), ("p2", 2), ("p3", 1)]}, "products[3]"),
        ({"orders": 0}, "orders"),
        ({"carted": [("p1", 1)]}, "carted[1]"),
        ({"bought": [("p2", 1)]}, "bought[1]"),
        ({"categories": []}, "categories[1]"),
        ({"searches": [("tea", 2)]}, "searches[1]"),
        ({"funnel": (3, 2, 0)}, "funnel"),
    ],
)
def test_each_wrong_aggregate_is_named(change: dict[str, Any], aggregate: str) -> None:
    (found,) = differences({WINDOW: RIGHT}, {WINDOW: msgspec.structs.replace(RIGHT, **change)})

    assert found.aggregate == aggregate
    assert str(found).startswith("minute 2023-11-14T22:14Z")


def test_a_window_that_is_missing_or_not_expected_is_named_and_an_empty_one_is_not() -> None:
    (missing,) = differences({WINDOW: RIGHT}, {})
    (surplus,) = differences({}, {WINDOW: RIGHT})

    assert (missing.answered, surplus.expected) == ("nothing", "nothing")
    assert differences({}, {WINDOW: Totals()}) == []


def test_foreign_windows_are_left_out() -> None:
    assert differences({WINDOW: RIGHT}, {}, foreign=[WINDOW]) == []


@pytest.mark.parametrize(
    ("exact", "estimate", "near"),
    [(0, 0, True), (5, 5.0000001, True), (5, 6, False), (1000, 1048, True), (1000, 1050, False), (1000, 950, False)],
)
def test_uniques_may_differ_by_three_standard_errors(exact: float, estimate: float, near: bool) -> None:
    assert within_sketch_error(exact, estimate) is near
