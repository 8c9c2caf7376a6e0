"""Decisions: who decides, and what bad input comes to."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clickstream.consumers.fraud.decisions import RULES_VERSION, Decision, Serving, Source, decide
from clickstream.consumers.fraud.fold import FraudFold
from clickstream.events import Context, Purchase
from clickstream.models.fraud import scoring
from clickstream.models.fraud.costs import Costs
from clickstream.models.fraud.offline import training
from clickstream.models.fraud.purchases import PURCHASES
from clickstream.models.fraud.verdicts import Thresholds, Verdict
from tests.unit.fraud.shopping import HOUR_MS, MINUTE_MS, START_MS, login, purchase, undecided

NOW_MS = START_MS + 5
ABROAD = Context(device="other", country="BR", ip="far")


def rows(count: int, seed: int) -> tuple[pd.DataFrame, pd.Series]:
    """Purchases' features at random; frauds are the dear ones with a new device."""
    chance = np.random.default_rng(seed)
    table = pd.DataFrame({name: chance.integers(0, 3, count).astype(float) for name in PURCHASES.names})
    table["amount"] = chance.lognormal(8, 1, count)
    table["hour"], table["weekday"] = chance.integers(0, 24, count), chance.integers(0, 7, count)
    table["new_device_7d"] = (chance.random(count) < 0.2).astype(float)
    table = table.mask(chance.random(table.shape) < 0.1)
    fraud = (table["amount"] > 8_000) & (table["new_device_7d"] >= 1)
    return table, fraud


@pytest.fixture(scope="module")
def supervised() -> Serving:
    table, fraud = rows(4_000, seed=3)
    users = pd.Series(np.arange(len(table)) % 400)
    trained = training.train(table, fraud, users, PURCHASES, Costs(), seed=0)
    return Serving(scoring.decode(scoring.encode(trained.card, trained.trees)), "v-supervised")


@pytest.fixture(scope="module")
def unsupervised() -> Serving:
    table, _ = rows(2_000, seed=4)
    trained = training.train_unsupervised(table, PURCHASES, Costs(), seed=0)
    return Serving(scoring.decode(scoring.encode(trained.card, trained.trees)), "v-unsupervised")


def decided(*events: object, serving: Serving | None = None) -> Decision:
    """The decision on the last purchase."""
    fold = FraudFold()
    fold.apply(events)  # type: ignore[arg-type]  # any events
    return decide(undecided(fold), serving, NOW_MS)[-1]


def test_an_ordinary_purchase_is_approved_without_a_model() -> None:
    decision = decided(purchase("ann", START_MS))
    assert (decision.verdict, decision.score, decision.reasons) == (Verdict.APPROVE, 0, [])
    assert (decision.source, decision.model_version, decision.decided_at) == (Source.RULES, RULES_VERSION, NOW_MS)


def test_a_stolen_account_is_blocked_without_a_model() -> None:
    guesses = [login("ann", START_MS - (9 - n) * MINUTE_MS, success=False) for n in range(6)]
    decision = decided(
        purchase("ann", START_MS - 24 * HOUR_MS), *guesses, purchase("ann", START_MS, amount=90_000, context=ABROAD)
    )
    assert decision.verdict is Verdict.BLOCK
    assert [reason.feature for reason in decision.reasons] == ["failed_logins_1h", "new_device_7d"]


def test_tested_cards_are_blocked_without_a_model() -> None:
    tries = [purchase("eve", START_MS + n * MINUTE_MS, amount=100, card=f"card-{n}") for n in range(4)]
    assert decided(*tries).verdict is Verdict.BLOCK
    assert decided(*tries[:3]).verdict is Verdict.APPROVE


def test_the_model_decides_and_gives_reasons(supervised: Serving) -> None:
    before = purchase("ann", START_MS - HOUR_MS, amount=3_000)
    genuine = decided(before, purchase("ann", START_MS, amount=3_000), serving=supervised)
    fraud = decided(before, purchase("ann", START_MS, amount=40_000, context=ABROAD), serving=supervised)
    assert genuine.verdict is Verdict.APPROVE
    assert genuine.reasons == []
    assert fraud.verdict is not Verdict.APPROVE
    assert {"amount", "new_device_7d"} <= {reason.feature for reason in fraud.reasons}
    assert (fraud.source, fraud.model_version) == (Source.MODEL, "v-supervised")
    assert 0 <= genuine.score < fraud.score <= 1


def test_strange_purchases_are_reviewed_while_there_are_no_labels(unsupervised: Serving) -> None:
    table, _ = rows(500, seed=5)
    ordinary = unsupervised.model.score(table.to_numpy())
    odd = table.to_numpy() * 30 + 30
    assert (ordinary >= unsupervised.model.card.thresholds.review).mean() < 0.1
    assert (unsupervised.model.score(odd) >= unsupervised.model.card.thresholds.review).mean() > 0.9
    decision = decided(purchase("ann", START_MS, amount=5_000_000, pieces=900), serving=unsupervised)
    assert decision.verdict is Verdict.REVIEW
    assert decision.model_version == "v-unsupervised"


def test_the_cold_starts_rules_count_beside_an_unsupervised_model_alone(supervised: Serving, unsupervised: Serving) -> None:
    tries = [purchase("eve", START_MS + n * MINUTE_MS, amount=100, card=f"card-{n}") for n in range(4)]
    assert decided(*tries, serving=unsupervised).verdict is Verdict.BLOCK
    assert decided(*tries, serving=unsupervised).source is Source.RULES
    assert decided(*tries, serving=supervised).source is Source.MODEL


BAD = {
    "unknown currency": purchase("ann", START_MS, currency="XXX"),
    "absurd amount": purchase("ann", START_MS, amount=10**12),
    "free": purchase("ann", START_MS, amount=0),
    "no context": purchase("ann", START_MS, context=Context()),
    "new category": purchase("ann", START_MS, context=Context(device="?" * 256, country="zz", ip="\U0001f600")),
    "no payment": purchase("ann", START_MS, card=""),
    "no history": purchase("ann", START_MS),
    "years ahead": purchase("ann", 4_102_444_800_000),
    "long ago": purchase("ann", 0),
}
#: What a person must look at, whoever decides.
LOOKED_AT = {"unknown currency", "absurd amount"}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("who", ["rules", "unsupervised", "supervised"])
def test_bad_input_has_an_outcome(case: str, who: str, supervised: Serving, unsupervised: Serving) -> None:
    serving = {"rules": None, "unsupervised": unsupervised, "supervised": supervised}[who]
    event: Purchase = BAD[case]
    decision = decided(event, serving=serving)
    assert decision.event_id == event.event_id
    assert 0 <= decision.score <= 1
    if case in LOOKED_AT:
        assert decision.verdict is not Verdict.APPROVE
        assert decision.reasons[0].feature == "amount" or decision.source in (Source.MODEL, Source.UNSUPERVISED)
    elif who == "rules":
        assert decision.verdict is Verdict.APPROVE


def test_a_safeguard_overrules_a_model_that_approves(supervised: Serving) -> None:
    model = supervised.model
    card = scoring.Card(
        features=model.card.features,
        signature=model.card.signature,
        thresholds=Thresholds(2.0, 2.0),
        typical=model.card.typical,
    )
    table, fraud = rows(1_000, seed=6)
    trees = training.train(table, fraud, pd.Series(np.arange(1_000)), PURCHASES, Costs(), seed=0).trees
    approving = Serving(scoring.decode(scoring.encode(card, trees)), "v-approving")
    decision = decided(purchase("ann", START_MS, currency="XXX"), serving=approving)
    assert (decision.verdict, decision.source) == (Verdict.REVIEW, Source.SAFEGUARD)
    assert decision.model_version == "v-approving"


def test_a_batch_is_decided_as_its_purchases_alone(supervised: Serving) -> None:
    fold = FraudFold()
    fold.apply([purchase(f"user-{n}", START_MS, amount=1_000 * n) for n in range(40)])
    batch = undecided(fold)
    together = decide(batch, supervised, NOW_MS)
    assert [repr(decision) for decision in together] == [repr(decide([one], supervised, NOW_MS)[0]) for one in batch]
    assert decide([], supervised, NOW_MS) == []
