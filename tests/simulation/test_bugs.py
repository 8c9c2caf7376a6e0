"""The proof that the simulator can fail: each deliberate bug is caught within 1,000 seeds."""

from __future__ import annotations

import pytest

from tests.simulation import found_bugs, hostile_bugs
from tests.simulation.bugs import BUGS, planted
from tests.simulation.plan import draw
from tests.simulation.world import quiet, simulate

MOST_SEEDS = 1_000
#: Importing them registers their bugs.
REGISTERED = (found_bugs, hostile_bugs)


@pytest.mark.parametrize("name", BUGS)
def test_a_deliberate_bug_is_caught(name: str) -> None:
    with quiet(), planted(name):
        for seed in range(MOST_SEEDS):
            if problems := simulate(draw(seed)).problems:
                print(f"{name}: seed {seed}: {problems[0]}")  # noqa: T201  # pytest shows it with -s: the table in docs/explanation/simulation.md
                return
    pytest.fail(f"{name} was not caught in {MOST_SEEDS} seeds")
