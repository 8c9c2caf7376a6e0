from __future__ import annotations

import pytest

from clickstream.errors import UserMistake
from serving.periods import MOST_WINDOWS, anchor, granularity, instant, stretch

NOON = 1_795_521_600_000  # 2026-11-24T12:00:00Z
MINUTE = 60_000


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1795521600000", NOON),
        ("2026-11-24T12:00:00Z", NOON),
        ("2026-11-24T12:00:00", NOON),  # UTC unless it says otherwise
        ("2026-11-24T13:00:00+01:00", NOON),
        ("2026-11-24", NOON - 12 * 60 * MINUTE),
        ("0", 0),
    ],
)
def test_an_instant(text: str, moment: int) -> None:
    assert instant(text) == moment


@pytest.mark.parametrize("text", ["", "noon", "-1", "99999999999999", "2026-13-01", "0001-01-01", "²"])
def test_what_is_no_instant_is_a_mistake_with_a_hint(text: str) -> None:
    with pytest.raises(UserMistake) as caught:
        instant(text)
    assert caught.value.hint


def test_granularity() -> None:
    assert granularity("hour") == "hour"
    with pytest.raises(UserMistake):
        granularity("week")


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
    assert stretch("minute", start, end, NOON + 30_000) == expected


def test_a_stretch_is_neither_empty_nor_endless() -> None:
    assert stretch("minute", NOON, NOON + MOST_WINDOWS * MINUTE, NOON) == (NOON, NOON + MOST_WINDOWS * MINUTE)
    with pytest.raises(UserMistake):
        stretch("minute", NOON, NOON + (MOST_WINDOWS + 1) * MINUTE, NOON)
    with pytest.raises(UserMistake):
        stretch("minute", NOON, NOON, NOON)


def test_data_of_the_past_are_shown_at_their_own_time() -> None:
    assert anchor(NOON, None) == NOON
    assert anchor(NOON, NOON - 5 * MINUTE) == NOON
    assert anchor(NOON, NOON - 2 * 60 * MINUTE) == NOON - 2 * 60 * MINUTE
