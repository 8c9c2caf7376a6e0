"""The real worker's decisions on a shop that its model has never seen: against the labels, and the offline evaluation.

The whole, 1,500 people over 45 days, is ``python -m tests.integration.fraud.catch``: see docs/explanation/fraud.md.
"""

from __future__ import annotations

import pytest

from tests.integration.fraud.application import Fraud
from tests.integration.fraud.catch import LEAST_MONEY, run

pytestmark = [pytest.mark.integration, pytest.mark.java]


def test_the_decisions_in_the_table_are_worth_what_the_evaluation_promised(fraud: Fraud) -> None:
    judged = run(fraud, people=700, train_people=2_000)
    assert judged.is_good, judged.live
    assert judged.live_verdicts.money_caught >= LEAST_MONEY
    # its adversaries share no key with anybody, so only a decision without such keys may differ from the offline one
    assert judged.same_score >= judged.purchases - judged.without_shared_keys
    assert judged.same_verdict >= judged.purchases - judged.without_shared_keys
