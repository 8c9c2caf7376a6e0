"""The proof that the simulator can fail: each deliberate bug is caught within 1,000 seeds."""

from __future__ import annotations

import pytest

from tests.simulation.planted import BEGIN, END, MOST_SEEDS, PAGE, seeds_until_caught
from tests.simulation.planting.bugs import BUGS


@pytest.mark.parametrize("name", BUGS)
def test_a_deliberate_bug_is_caught(name: str) -> None:
    assert seeds_until_caught(name) is not None, f"{name} was not caught in {MOST_SEEDS} seeds"


def test_the_page_lists_every_bug() -> None:
    listed = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    rows = [line.split("|")[1].strip() for line in listed.splitlines() if line.startswith("| ")]
    assert set(rows) - {"bug"} == set(BUGS), "count again: python -m tests.simulation.planted"
