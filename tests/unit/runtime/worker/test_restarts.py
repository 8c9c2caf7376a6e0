"""When a daemon that died is started again."""

from __future__ import annotations

import pytest

from clickstream.consumers.runtime.worker.restarts import GiveUp, RestartPolicy

POLICY = RestartPolicy(budget=5, window_s=60.0, first_delay_s=0.5, longest_delay_s=3.0)


@pytest.mark.parametrize(
    ("starts", "now", "decision"),
    [
        ([0], 3600, 0.0),  # lived for an hour
        ([0], 1, 0.0),  # the first death is answered at once
        ([0, 1], 2, 0.5),
        ([0, 1, 2], 3, 1.0),
        ([0, 1, 2, 3], 4, 2.0),
        ([0, 1, 2, 3, 5], 8, GiveUp(5, 60.0)),
        ([0, 1, 2, 3, 5], 60.5, 2.0),  # the start at 0 has left the window
        ([0, 1, 2, 3, 5], 1000, 0.0),  # a bad day is forgotten
    ],
)
def test_decisions(starts: list[float], now: float, decision: float | GiveUp) -> None:
    assert POLICY.decide(starts, now) == decision


@pytest.mark.parametrize(
    ("barren", "decision"),
    [
        (0, 0.0),
        (1, 0.0),
        (2, 0.5),
        (4, 2.0),
        (9, 3.0),
        (10, GiveUp(10, None)),
    ],
)
def test_one_that_dies_slowly_dies(barren: int, decision: float | GiveUp) -> None:
    """Every forty seconds, say: never more than two in the window."""
    starts = [40.0 * number for number in range(20)]
    assert POLICY.decide(starts, 840.0, barren) == decision


def test_the_delay_is_bounded() -> None:
    patient = RestartPolicy(budget=100, longest_delay_s=3.0)
    assert patient.decide([float(second) for second in range(20)], 20.0) == 3.0
