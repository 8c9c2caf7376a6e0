"""Trained on the earlier, judged on the later: the handbook's weeks, or a file of events."""

from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clickstream.errors import UserMistake
from models.features.definitions import FeatureSet
from models.fraud import scoring
from models.fraud.costs import Costs
from models.fraud.offline import handbook_data, labelled, training
from models.fraud.offline.evaluation import KindReport, Report, by_kind, report
from models.fraud.offline.handbook import MODEL_FEATURES
from models.fraud.offline.labelled import Purchases
from models.fraud.offline.training import Trained
from models.fraud.purchases import PURCHASES
from models.fraud.verdicts import Thresholds

_DAY_MS = 86_400_000
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


class Part(msgspec.Struct, frozen=True):
    """Purchases with known outcome; everything has one row per purchase."""

    features: pd.DataFrame
    kinds: pd.Series
    """Of fraud; "" for a genuine purchase."""
    users: pd.Series
    days: pd.Series
    amounts: pd.Series

    @property
    def frauds(self) -> pd.Series:
        return self.kinds != ""


def handbook(datasets: Path, costs: Costs) -> Trial:
    """The book's train and test week, by the book's rule. Raises Missing."""
    weeks = handbook_data.weeks(datasets)
    train, test = (
        Part(
            handbook_data.features(week),
            # the book's scenarios: 1 a high amount, 2 a compromised terminal, 3 a stolen card's data
            week["TX_FRAUD_SCENARIO"].map(lambda scenario: f"scenario {scenario}" if scenario else ""),
            week["CUSTOMER_ID"],
            week["TX_TIME_DAYS"],
            week["TX_AMOUNT"],
        )
        for week in (weeks.train, weeks.test)
    )
    return _try(train, test, MODEL_FEATURES, costs)


def of_files(path: Path, labels: Path | None, test: tuple[Path, Path] | None, costs: Costs) -> Trial:
    """Judged on the ``test``'s events and labels, or on the latest fifth. Raises UserMistake when there are no labels."""
    if labels is None:
        raise UserMistake("without labels nothing can be judged", hint="--labels names a CSV with event_id and fraud")
    purchases = labelled.read(path, labels)
    if test is None:
        return of(purchases, costs)
    return _try(_part(purchases), _part(labelled.read(*test)), PURCHASES, costs)


def of(purchases: Purchases, costs: Costs) -> Trial:
    """The latest fifth is judged by a model of the rest. Raises UserMistake when it holds no fraud, or nothing else."""
    train, test = (_part(part) for part in purchases.split())
    if not 0 < test.frauds.sum() < len(test.frauds):
        raise UserMistake("the latest fifth of the purchases does not hold both kinds", hint="take a longer window")
    return _try(train, test, PURCHASES, costs)


def _part(purchases: Purchases) -> Part:
    assert purchases.kinds is not None
    facts = purchases.facts
    return Part(
        purchases.features, purchases.kinds, facts["user_id"], facts["occurred_at"] // _DAY_MS, facts["amount"].fillna(0.0)
    )


def _try(train: Part, test: Part, features: FeatureSet, costs: Costs) -> Trial:
    labelled_model = training.train(train.features, train.frauds, train.users, features, costs, seed=0)
    strange = training.train_unsupervised(train.features, features, costs, seed=0)
    scores = _scores(labelled_model, test)
    return Trial(
        _judge(labelled_model, test, costs),
        _judge(strange, test, costs),
        scores,
        test.frauds.to_numpy(bool),
        labelled_model.card.thresholds,
        by_kind(scores, test.kinds, test.amounts.to_numpy(np.float64), false_alarms=FALSE_ALARMS),
    )


def _scores(trained: Trained, test: Part) -> NDArray[np.float64]:
    """As a worker scores: from the version's files."""
    model = scoring.decode(scoring.encode(trained.card, trained.trees))
    return model.score(test.features.to_numpy(np.float64))


def _judge(trained: Trained, test: Part, costs: Costs) -> Report:
    return report(
        _scores(trained, test),
        test.frauds.to_numpy(bool),
        test.amounts.to_numpy(np.float64),
        test.users,
        test.days,
        trained.card.thresholds,
        costs,
    )
