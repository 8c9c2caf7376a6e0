"""Intended times: stretched, never negative, and never waited for once they have passed."""

from __future__ import annotations

import pytest

from clickstream.load.driving.pace import MAX_SPEED, Pace, wait_until


@pytest.mark.parametrize(
    ("speed", "at_ms", "seconds"),
    [(1, 5_000, 4.0), (4, 5_000, 1.0), (0.5, 5_000, 8.0), (2, 500, 0.0), (MAX_SPEED, 5_000, 0.0)],
)
def test_original_times_are_stretched_by_the_speed(speed: float, at_ms: int, seconds: float) -> None:
    assert Pace(speed).offset_s(1_000, at_ms) == seconds


def test_a_time_that_has_passed_is_not_waited_for() -> None:
    slept: list[float] = []

    wait_until(10.0, clock=lambda: 7.5, sleep=slept.append)
    wait_until(10.0, clock=lambda: 10.0, sleep=slept.append)
    wait_until(10.0, clock=lambda: 99.0, sleep=slept.append)

    assert slept == [2.5]
