"""Every purchase has one decision, as what it was; verdicts are told and not judged."""

from __future__ import annotations

import msgspec
import pytest

from clickstream.load.verdict.comparers.decisions import Decided, compare
from clickstream.load.verdict.ledger import Bought

PURCHASES = [
    Bought(
        event_id=f"e{n}", order_id=f"o{n}", user_id=f"u{n}", amount=100 * n, currency="EUR", occurred_at=1_000 + n,
        sent_ms=5_000, adversary="bot" if n > 7 else "",
    )
    for n in range(10)
]  # fmt: skip
DECISIONS = [
    Decided(
        event_id=each.event_id, order_id=each.order_id, user_id=each.user_id, amount=each.amount, currency=each.currency,
        occurred_at=each.occurred_at, decided_at=5_300, verdict="block" if n == 9 else "approve", score=0.1,
        alert="sent" if n == 9 else "",
    )
    for n, each in enumerate(PURCHASES)
]  # fmt: skip


def _with(place: int, **changes: object) -> list[Decided]:
    return [*DECISIONS[:place], msgspec.structs.replace(DECISIONS[place], **changes), *DECISIONS[place + 1 :]]


def test_one_decision_each_is_exact_and_the_verdicts_are_figures() -> None:
    compared = compare(PURCHASES, DECISIONS, started_ms=5_000)

    assert compared.is_exact
    assert compared.compared == 10
    assert compared.figures["stopped_bot"] == 0.5
    assert compared.figures["stopped_genuine"] == 0
    assert compared.figures["decided_p50_ms"] == 300


def test_a_purchase_without_a_decision_is_lost() -> None:
    compared = compare(PURCHASES, DECISIONS[1:], started_ms=5_000)

    assert (compared.lost, compared.is_exact) == (1, False)
    assert compared.problems == ["fraud lost 1 purchases: no decision on e0"]


def test_a_decision_on_what_nobody_sent_is_one_too_many_unless_it_is_of_an_earlier_run() -> None:
    compared = compare(PURCHASES[1:], DECISIONS, started_ms=5_000)

    assert (compared.duplicated, compared.is_exact) == (1, False)
    assert "nobody sent: e0" in compared.problems[0]
    assert compare(PURCHASES[1:], DECISIONS, started_ms=6_000).is_exact


def test_two_visitors_swapped_are_named() -> None:
    swapped = [
        msgspec.structs.replace(DECISIONS[0], user_id="u1"),
        msgspec.structs.replace(DECISIONS[1], user_id="u0"),
        *DECISIONS[2:],
    ]

    compared = compare(PURCHASES, swapped, started_ms=5_000)

    assert compared.wrong == 2
    assert compared.problems[0].startswith("fraud swapped visitors: 2 decisions have another user_id: u1 for u0 in e0")


@pytest.mark.parametrize("changes", [{"amount": 7}, {"order_id": "x"}, {"currency": "USD"}, {"occurred_at": 9}])
def test_a_decision_on_another_purchase_than_was_made_is_wrong(changes: dict[str, object]) -> None:
    compared = compare(PURCHASES, _with(3, **changes), started_ms=5_000)

    assert (compared.wrong, compared.is_exact) == (1, False)
    assert next(iter(changes)) in compared.problems[0]


def test_an_alert_that_was_never_sent_is_wrong() -> None:
    compared = compare(PURCHASES, _with(9, alert="pending"), started_ms=5_000)

    assert compared.problems == ["fraud sent no alert for 1 decisions: e9"]


def test_a_slow_decision_is_late_and_still_exact() -> None:
    compared = compare(PURCHASES, _with(2, decided_at=6_001), started_ms=5_000)

    assert (compared.late, compared.is_exact) == (1, True)
