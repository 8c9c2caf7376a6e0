"""Which windows are read when, as the data's own time moves."""

from __future__ import annotations

import pytest

from serving.periods import WINDOW_MS
from serving.read_model import Granularity
from serving.stretch import CADENCES, SETTLING_MS, Stretch
from tests.unit.serving.shop import NOW, Shop

MINUTE = 60_000
HOUR = 60 * MINUTE
BOUNDARY = NOW // HOUR * HOUR


class Reader:
    """Reads what is due from a shop whose visitors never sleep."""

    def __init__(self, kind: Granularity) -> None:
        self.stretch = Stretch(kind)
        self.shop = Shop(opened_ms=0)

    def read(self, anchor_ms: int, now_ms: int) -> int | None:
        """The number of windows read."""
        self.shop.now = anchor_ms
        asked = self.stretch.due(anchor_ms, now_ms)
        if asked is None:
            return None
        self.stretch.keep(asked, self.shop.windows(self.stretch.kind, asked.start, asked.end, top=1), now_ms)
        return (asked.end - asked.start) // WINDOW_MS[self.stretch.kind]


@pytest.mark.parametrize("kind", CADENCES)
def test_the_first_reading_is_of_all(kind: Granularity) -> None:
    reader = Reader(kind)
    assert reader.read(NOW, 0) == CADENCES[kind].windows
    assert all(point["events"] for point in reader.stretch.series())


def test_hours_are_read_seldom_and_the_hour_before_only_while_it_settles() -> None:
    reader = Reader("hour")
    reader.read(BOUNDARY - 1, 0)
    newest_ms = CADENCES["hour"].newest_ms
    assert reader.read(BOUNDARY - 1, newest_ms - 1) is None
    assert reader.read(BOUNDARY - 1, newest_ms) == 1
    # a new hour does not wait for its turn
    assert reader.read(BOUNDARY + 1, newest_ms + 1) == 2
    assert reader.read(BOUNDARY + SETTLING_MS - 1, 3 * newest_ms) == 2
    assert reader.read(BOUNDARY + SETTLING_MS, 4 * newest_ms) == 1


@pytest.mark.parametrize(
    ("moves", "read"),
    [
        (5 * MINUTE, 6),  # a replay at speed: every window it went through, and the one it had left
        (300 * MINUTE, 60),  # beyond everything that was kept
        (-2 * MINUTE, 60),  # another stretch of the past: all anew
    ],
)
def test_when_the_time_of_the_data_jumps_no_window_is_missed(moves: int, read: int) -> None:
    reader = Reader("minute")
    reader.read(NOW, 0)
    assert reader.read(NOW + moves, 1000) == read

    fresh = Reader("minute")
    fresh.read(NOW + moves, 1000)
    assert reader.stretch.series() == fresh.stretch.series()
    assert reader.stretch.current() == fresh.stretch.current()


def test_all_are_read_again_for_late_events() -> None:
    reader = Reader("minute")
    reader.read(NOW, 0)
    all_ms = CADENCES["minute"].all_ms
    assert reader.read(NOW, all_ms - 1) == 2
    assert reader.read(NOW, all_ms) == 60
