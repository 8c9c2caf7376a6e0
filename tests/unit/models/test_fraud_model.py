"""Fraud models: trained with scikit-learn, scored without it, explained, judged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from clickstream.errors import UserMistake
from clickstream.models.features.definitions import FeatureSet, Own
from clickstream.models.fraud import scoring
from clickstream.models.fraud.costs import Costs
from clickstream.models.fraud.offline import training
from clickstream.models.fraud.offline.evaluation import KindReport, by_kind, card_precision
from clickstream.models.fraud.offline.training import Trained
from clickstream.models.fraud.scoring import Card, FraudModel
from clickstream.models.fraud.verdicts import Thresholds, Verdict
from clickstream.models.registry.manifest import Description, Training, UnusableModel, Version, manifest_of

FEATURES = FeatureSet(
    name="test", tracks=(), features=tuple(Own(name=name, field=name) for name in ("amount", "novel", "noise"))
)
#: Fixed by the issue.
EQUAL = 1e-9


@pytest.fixture(scope="module")
def purchases() -> pd.DataFrame:
    """Dear purchases from new devices are often frauds; some devices are unknown."""
    random = np.random.default_rng(7)
    count = 4_000
    rows = pd.DataFrame(
        {
            "amount": random.lognormal(3, 1, count),
            "novel": np.where(random.random(count) < 0.1, np.nan, random.integers(0, 2, count)),
            "noise": random.normal(size=count),
            "user": random.integers(0, 500, count),
        }
    )
    chance = 1 / (1 + np.exp(-(0.04 * rows["amount"] + 2 * rows["novel"].fillna(0) - 6)))
    rows["fraud"] = random.random(count) < chance
    return rows


def inputs(purchases: pd.DataFrame) -> pd.DataFrame:
    return purchases[list(FEATURES.names)]


@pytest.fixture(scope="module")
def trained(purchases: pd.DataFrame) -> Trained:
    return training.train(inputs(purchases), purchases["fraud"], purchases["user"], FEATURES, Costs(capacity=0.1), seed=1)


@pytest.fixture(scope="module")
def unsupervised(purchases: pd.DataFrame) -> Trained:
    return training.train_unsupervised(inputs(purchases), FEATURES, Costs(), seed=1)


def model_of(trained: Trained) -> FraudModel:
    return scoring.decode(scoring.encode(trained.card, trained.trees))


def odd_rows() -> NDArray[np.float64]:
    """What training has hardly seen: missing, infinite, absurd and negative values."""
    return np.array([[np.nan] * 3, [1e300, 1, 0], [-1e300, 0, np.nan], [np.inf, np.nan, 0], [0, 0, 0]])


def test_scores_equal_scikit_learns(trained: Trained, purchases: pd.DataFrame) -> None:
    rows = np.concatenate([inputs(purchases).to_numpy(), odd_rows()])
    margins = trained.card.slope * trained.classifier.decision_function(rows) + trained.card.offset
    assert np.max(np.abs(model_of(trained).score(rows) - 1 / (1 + np.exp(-margins)))) < EQUAL


def test_unsupervised_scores_equal_scikit_learns(unsupervised: Trained, purchases: pd.DataFrame) -> None:
    rows = np.concatenate([inputs(purchases).to_numpy(), odd_rows()[[0, 2, 4]]]).clip(-1e30, 1e30)
    filled = np.where(np.isnan(rows), np.array(unsupervised.card.typical), rows).astype(np.float32)
    theirs = -unsupervised.classifier.score_samples(filled)
    assert np.max(np.abs(model_of(unsupervised).score(rows) - theirs)) < 1e-8  # treelite keeps a leaf in single precision


def test_one_row_scores_as_in_a_batch(trained: Trained, purchases: pd.DataFrame) -> None:
    model, rows = model_of(trained), inputs(purchases).to_numpy()[:50]
    assert np.array_equal(model.score(rows), np.concatenate([model.score(rows[n : n + 1]) for n in range(50)]))


def test_calibrated_probabilities_come_true(trained: Trained, purchases: pd.DataFrame) -> None:
    """Of users that the scoring model had not seen: in every band of scores the frauds are as many as promised."""
    for low, high in [(0, 0.05), (0.05, 0.3), (0.3, 1)]:
        band = (trained.held_out >= low) & (trained.held_out < high)
        promised, came = trained.held_out[band].sum(), purchases["fraud"][band].sum()
        assert abs(promised - came) < 3 * np.sqrt(promised), (low, high, promised, came)


def test_reasons_name_what_moved_the_score(trained: Trained) -> None:
    model = model_of(trained)
    first, *others = model.reasons(np.array([400.0, 0.0, 0.1]))
    assert first.feature == "amount"
    assert first.value == 400
    assert all(0 < reason.effect < first.effect for reason in others)
    assert "novel" not in [reason.feature for reason in others]
    both = model.reasons(np.array([60.0, 1.0, 0.1]))
    assert {reason.feature for reason in both[:2]} == {"amount", "novel"}
    assert model.reasons(np.array(model.card.typical)) == []


def test_effects_of_features_that_act_alone_add_up_to_the_margin(purchases: pd.DataFrame) -> None:
    """The Shapley values of an additive model are its terms: stumps alone are one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(training._PARAMETERS, "max_leaf_nodes", 2)
        trained = training.train(inputs(purchases), purchases["fraud"], purchases["user"], FEATURES, Costs(), seed=1)
    model = model_of(trained)
    row = np.array([500.0, 1.0, 0.2])
    typical = np.array(model.card.typical)
    terms = []
    for place in range(len(row)):
        alone = typical.copy()
        alone[place] = row[place]
        terms.append(float((model.margins(alone[None]) - model.margins(typical[None]))[0]))
    expected = {name: term for name, term in zip(FEATURES.names, terms, strict=True) if term > 0}
    assert {reason.feature: reason.effect for reason in model.reasons(row)} == pytest.approx(expected)


def test_a_worker_needs_no_scikit_learn_to_score(trained: Trained, tmp_path: Path) -> None:
    for name, data in scoring.encode(trained.card, trained.trees).items():
        (tmp_path / name).write_bytes(data)
    program = (
        "import sys, pathlib, numpy\n"
        "from clickstream.models.fraud import scoring\n"
        f"files = {{path.name: path.read_bytes() for path in pathlib.Path({str(tmp_path)!r}).iterdir()}}\n"
        "print(float(scoring.decode(files).score(numpy.array([[300.0, 1.0, 0.0]]))[0]))\n"
        "print(*sorted({'sklearn', 'pandas'} & set(sys.modules)))\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split("\n")
    assert float(said[0]) == model_of(trained).score(np.array([[300.0, 1.0, 0.0]]))[0]
    assert said[1] == ""


def version(files: dict[str, bytes]) -> Version:
    description = Description(training=Training(source="test", from_ms=0, to_ms=0, rows=1, sha256=""))
    return Version(manifest_of("fraud", files, description, now_ms=0), files)


def other_card(card: Card, **changes: object) -> bytes:
    return msgspec.msgpack.encode(msgspec.structs.replace(card, **changes))


def test_a_version_for_these_features_loads(trained: Trained) -> None:
    assert scoring.load(version(scoring.encode(trained.card, trained.trees)), FEATURES).card.is_supervised


@pytest.mark.parametrize(
    "damage", ["cut", "altered", "no card", "no trees", "not msgpack", "width", "names", "order", "meaning"]
)
def test_what_does_not_fit_is_refused(trained: Trained, damage: str) -> None:
    """The registry's digests find damage first; this is what a version meets that was published so."""
    card, trees = trained.card, trained.trees
    good = scoring.encode(card, trees)
    names = card.features
    files: dict[str, bytes] = {
        "cut": good | {scoring.CARD_FILE: good[scoring.CARD_FILE][:-1]},
        "altered": good | {scoring.TREES_FILE: b"\x00" * len(trees)},
        "no card": {scoring.TREES_FILE: trees},
        "no trees": {scoring.CARD_FILE: good[scoring.CARD_FILE]},
        "not msgpack": good | {scoring.CARD_FILE: b"\xc1"},
        "width": good | {scoring.CARD_FILE: other_card(card, features=names[:2], typical=card.typical[:2])},
        "names": good | {scoring.CARD_FILE: other_card(card, features=("amount", "novel", "age"))},
        "order": good | {scoring.CARD_FILE: other_card(card, features=names[::-1])},
        "meaning": good | {scoring.CARD_FILE: other_card(card, signature="0" * 64)},
    }[damage]
    with pytest.raises(UnusableModel):
        scoring.load(version(files), FEATURES)


def test_too_few_frauds_are_refused_with_a_hint(purchases: pd.DataFrame) -> None:
    few = purchases[~purchases["fraud"]].assign(fraud=lambda rows: np.arange(len(rows)) < 5)
    with pytest.raises(UserMistake, match="5 frauds among"):
        training.train(inputs(few), few["fraud"], few["user"], FEATURES, Costs(), seed=1)


@pytest.mark.parametrize(
    ("score", "expected"), [(0.0, Verdict.APPROVE), (0.2, Verdict.REVIEW), (0.5, Verdict.REVIEW), (0.9, Verdict.BLOCK)]
)
def test_verdicts(score: float, expected: Verdict) -> None:
    assert Thresholds(0.2, 0.9).verdict(score) is expected


def test_thresholds_are_where_the_cost_is_least() -> None:
    """Among calibrated scores no other pair of thresholds on a grid costs less, to within chance."""
    random = np.random.default_rng(3)
    scores = random.beta(0.3, 5, 200_000)
    frauds = random.random(len(scores)) < scores
    costs = Costs(missed_fraud=40, false_block=15, review=3, capacity=1.0)
    ours = costs.thresholds(scores)
    assert (ours.review, ours.block) == pytest.approx((3 / 40, 1 - 3 / 15))
    grid = np.linspace(0.01, 0.99, 25)
    least = min(costs.total(scores, frauds, Thresholds(low, high)) for low in grid for high in grid if low <= high)
    assert costs.total(scores, frauds, ours) < least * 1.005


def test_no_more_is_reviewed_than_people_can() -> None:
    scores = np.concatenate([np.linspace(0, 0.5, 1_000), np.full(10, 0.99)])
    costs = Costs(capacity=0.02)
    limits = costs.thresholds(scores)
    reviewed = ((scores >= limits.review) & (scores < limits.block)).sum()
    assert reviewed == int(0.02 * len(scores))


def test_card_precision_counts_a_card_once() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.9, 0.1])
    frauds = np.array([True, True, False, True, True])
    cards, days = pd.Series([1, 1, 2, 1, 3]), pd.Series([0, 0, 0, 1, 1])
    # card 1 is found on day 0 and not looked at on day 1, where card 3 is the only other one
    assert card_precision(scores, frauds, cards, days) == pytest.approx((1 + 1) / 2 / 100)


def test_kinds_are_compared_at_one_rate_of_false_alarms() -> None:
    scores = np.concatenate([np.linspace(0, 0.99, 100), [0.995, 0.5, 0.999]])
    kinds = pd.Series([""] * 100 + ["guess", "guess", "test"])
    amounts = np.concatenate([np.full(100, 7.0), [30.0, 10.0, 60.0]])
    found = by_kind(scores, kinds, amounts, false_alarms=0.01)
    assert found["guess"] == KindReport(frauds=2, share_of_money=0.4, caught=0.5, money_caught=0.75)
    assert found["test"] == KindReport(frauds=1, share_of_money=0.6, caught=1.0, money_caught=1.0)
    assert found["all"].money_caught == pytest.approx(0.9)
