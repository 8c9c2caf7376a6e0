"""Trained on the earlier, judged on the later: the handbook's weeks, or a file of events."""

from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clickstream.errors import UserMistake
from clickstream.models.features.definitions import DAY_MS, FeatureSet
from clickstream.models.fraud import scoring
from clickstream.models.fraud.costs import Costs
from clickstream.models.fraud.offline import handbook_data, labelled, training
from clickstream.models.fraud.offline.evaluation import KindReport, Report, by_kind, report
from clickstream.models.fraud.offline.handbook import MODEL_FEATURES
from clickstream.models.fraud.offline.labelled import Purchases
from clickstream.models.fraud.offline.training import Trained
from clickstream.models.fraud.purchases import PURCHASES
from clickstream.models.fraud.verdicts import Thresholds

#: The share of genuine purchases that may be alarms, where kinds of fraud are compared.
FALSE_ALARMS = 0.01


class Trial(msgspec.Struct, frozen=True):
    """Both models on the same test; the curves' scores and truths are the labelled model's, one per purchase."""

    model: Report
    unsupervised: Report
    scores: NDArray[np.float64]
    frauds: NDArray[np.bool_]
    thresholds: Thresholds
    kinds: dict[str, KindReport]
    """At a false-alarm rate of :data:`FALSE_ALARMS`."""


def handbook(datasets: Path, costs: Costs) -> Trial:
    """The book's train and test week, by the book's rule. Raises Missing."""
    train, test = (
        Purchases(
            features=handbook_data.features(week),
            facts=pd.DataFrame(
                {"user_id": week["CUSTOMER_ID"], "occurred_at": week["TX_TIME_DAYS"] * DAY_MS, "amount": week["TX_AMOUNT"]}
            ),
            # the book's scenarios: 1 a high amount, 2 a compromised terminal, 3 a stolen card's data
            kinds=week["TX_FRAUD_SCENARIO"].map(lambda scenario: f"scenario {scenario}" if scenario else ""),
        )
        for week in handbook_data.weeks(datasets)
    )
    return _try(train, test, MODEL_FEATURES, costs)


def of_files(path: Path, labels: Path | None, test: tuple[Path, Path] | None, costs: Costs) -> Trial:
    """Judged on the ``test``'s events and labels, or on the latest fifth. Raises UserMistake when there are no labels."""
    if labels is None:
        raise UserMistake("without labels nothing can be judged", hint="--labels names a CSV with event_id and fraud")
    purchases = labelled.read(path, labels)
    if test is None:
        return of(purchases, costs)
    return _try(purchases, labelled.read(*test), PURCHASES, costs)


def of(purchases: Purchases, costs: Costs) -> Trial:
    """The latest fifth is judged by a model of the rest. Raises UserMistake when it holds no fraud, or nothing else."""
    train, test = purchases.split()
    if test.frauds is None or not 0 < test.frauds.sum() < len(test.frauds):
        raise UserMistake("the latest fifth of the purchases does not hold both kinds", hint="take a longer window")
    return _try(train, test, PURCHASES, costs)


def _try(train: Purchases, test: Purchases, features: FeatureSet, costs: Costs) -> Trial:
    assert train.frauds is not None, "it has labels"
    assert test.kinds is not None, "it has labels"
    frauds, amounts = (test.kinds != "").to_numpy(bool), test.facts["amount"].fillna(0.0).to_numpy(np.float64)

    def judged(trained: Trained) -> tuple[NDArray[np.float64], Report]:
        # as a worker scores: from the version's files
        scores = scoring.decode(scoring.encode(trained.card, trained.trees)).score(test.features.to_numpy(np.float64))
        users, days = test.facts["user_id"], test.facts["occurred_at"] // DAY_MS
        return scores, report(scores, frauds, amounts, users, days, trained.card.thresholds, costs)

    trained = training.train(train.features, train.frauds, train.facts["user_id"], features, costs, seed=0)
    scores, model = judged(trained)
    _, unsupervised = judged(training.train_unsupervised(train.features, features, costs, seed=0))
    kinds = by_kind(scores, test.kinds, amounts, false_alarms=FALSE_ALARMS)
    return Trial(model, unsupervised, scores, frauds, trained.card.thresholds, kinds)
