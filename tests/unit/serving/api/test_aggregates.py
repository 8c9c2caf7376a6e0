"""The stretches of windows that a question, or a page, is about."""

from __future__ import annotations

import pytest

from clickstream.consumers.analytics.views import Granularity
from clickstream.errors import UserMistake
from clickstream.serving.api.aggregates import MOST_WINDOWS, stretch
from clickstream.serving.pages.now.spans import anchor

NOON = 1_795_521_600_000  # 2026-11-24T12:00:00Z
MINUTE = 60_000


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        # no ends: the window of now and the 59 before it
        (None, None, (NOON - 59 * MINUTE, NOON + MINUTE)),
        # ends inside windows: the windows that hold them
        (NOON - 1, NOON + 1, (NOON - MINUTE, NOON + MINUTE)),
        # an end on a boundary is exclusive
        (NOON - MINUTE, NOON, (NOON - MINUTE, NOON)),
        (None, NOON, (NOON - 60 * MINUTE, NOON)),
    ],
)
def test_a_stretch_lies_on_window_boundaries(start: int | None, end: int | None, expected: tuple[int, int]) -> None:
    assert stretch(Granularity.MINUTE, start, end, NOON + 30_000) == expected


def test_a_stretch_is_neither_empty_nor_endless() -> None:
    assert stretch(Granularity.MINUTE, NOON, NOON + MOST_WINDOWS * MINUTE, NOON) == (NOON, NOON + MOST_WINDOWS * MINUTE)
    with pytest.raises(UserMistake):
        stretch(Granularity.MINUTE, NOON, NOON + (MOST_WINDOWS + 1) * MINUTE, NOON)
    for start, end in [(NOON, NOON), (NOON, NOON - 1), (NOON + 5 * MINUTE, None)]:
        with pytest.raises(UserMistake) as caught:
            stretch(Granularity.MINUTE, start, end, NOON)
        assert caught.value.hint


def test_data_of_the_past_are_shown_at_their_own_time() -> None:
    assert anchor(NOON, None) == NOON
    assert anchor(NOON, NOON - 5 * MINUTE) == NOON
    assert anchor(NOON, NOON - 2 * 60 * MINUTE) == NOON - 2 * 60 * MINUTE
