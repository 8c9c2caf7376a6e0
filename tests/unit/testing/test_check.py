"""Five applications with one thing wrong in each are found, each by its law; the right one passes."""

from __future__ import annotations

import pytest

from clickstream.application import Wiring
from clickstream.testing import BrokenLaw, check
from tests.unit.testing import folds


def test_the_right_fold_keeps_all_laws() -> None:
    check(folds.APPLICATION, needs=folds.NEEDS)


@pytest.mark.parametrize(
    ("wrong", "law", "events"),
    [
        (folds.TIME_OF_DAY, "no_clock_randomness_or_io", 1),
        (folds.SET_ORDER, "the_same_in_every_process", 1),
        (folds.STATE_PER_BATCH, "independent_of_batches", 2),
        (folds.RELATIVE_EFFECTS, "effects_absolute_and_idempotent", 1),
        (folds.LOST_AT_A_SPLIT, "keyed_state_moves", 3),
    ],
)
def test_a_wrong_fold_is_found_and_named(wrong: Wiring, law: str, events: int) -> None:
    with pytest.raises(BrokenLaw) as broken:
        check(wrong, needs=folds.NEEDS)
    assert broken.value.law == law
    assert len(broken.value.events) <= events, "as few as show it"
