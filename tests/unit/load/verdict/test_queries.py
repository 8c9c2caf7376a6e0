"""Questions to the platform: few, none over the limit, and a failure is told with the command's own words."""

from __future__ import annotations

import pytest

from clickstream.errors import RetryLater
from clickstream.load.verdict import queries
from clickstream.load.verdict.comparers.aggregates import Totals, Window
from clickstream.load.verdict.queries import WINDOWS_PER_QUESTION, questions, totals_of

MINUTE = 60_000


def test_windows_close_together_are_one_question_and_sparse_ones_are_few() -> None:
    assert list(questions([], MINUTE)) == []
    assert list(questions([n * MINUTE for n in range(115)], MINUTE)) == [(0, 114 * MINUTE)]
    far = 10 * WINDOWS_PER_QUESTION * MINUTE
    assert list(questions([0, MINUTE, far], MINUTE)) == [(0, MINUTE), (far, far)]


def test_no_question_is_longer_than_the_limit() -> None:
    asked = list(questions([n * MINUTE for n in range(3 * WINDOWS_PER_QUESTION)], MINUTE))

    assert [(last - first) // MINUTE + 1 for first, last in asked] == [WINDOWS_PER_QUESTION] * 3
    assert [first for first, _ in asked[1:]] == [last + MINUTE for _, last in asked[:-1]]


def test_an_answer_is_read_whole() -> None:
    window = {
        "start": 0, "counts": {"login": 2}, "orders": 1, "revenue": {"EUR": 5}, "uniques": {"value": 1.5, "low": 1, "high": 2},
        "funnel": {"view": 3, "cart": 2, "purchase": 1}, "products": [["p", 4]], "categories": [["c", 5]],
        "carted": [["p", 6]], "bought": [["p", 7]], "searches": [["tea", 8]],
    }  # fmt: skip

    assert totals_of(window) == Totals(
        events={"login": 2}, orders=1, revenue={"EUR": 5}, uniques=1.5, funnel=(3, 2, 1), products=[("p", 4)],
        categories=[("c", 5)], carted=[("p", 6)], bought=[("p", 7)], searches=[("tea", 8)],
    )  # fmt: skip


def test_a_platform_that_does_not_answer_is_told_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    # a port that nothing can listen on: the real command runs, and fails
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    with pytest.raises(RetryLater, match="does not answer: clickstream: "):
        queries.ask([Window("minute", 0)])
