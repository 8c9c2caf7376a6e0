"""Trained on the earlier, judged on the later: the handbook's weeks, or a file of events."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clickstream.errors import UserMistake
from models.features.definitions import FeatureSet
from models.fraud import handbook_data, labelled, scoring, training
from models.fraud.costs import Costs
from models.fraud.evaluation import Report, report
from models.fraud.handbook import MODEL_FEATURES
from models.fraud.labelled import Purchases
from models.fraud.purchases import PURCHASES
from models.fraud.scoring import Thresholds
from models.fraud.training import Trained

_DAY_MS = 86_400_000


class Trial(msgspec.Struct, frozen=True):
    """Both models on the same test; the curves' scores and truths are the labelled model's, one per purchase."""

    model: Report
    unsupervised: Report
    scores: NDArray[np.float64]
    frauds: NDArray[np.bool_]
    thresholds: Thresholds


class Part(msgspec.Struct, frozen=True):
    """Purchases with known outcome; everything has one row per purchase."""

    features: pd.DataFrame
    frauds: pd.Series
    users: pd.Series
    days: pd.Series
    amounts: pd.Series


def handbook(datasets: Path, costs: Costs) -> Trial:
    """The book's train and test week, by the book's rule. Raises Missing."""
    weeks = handbook_data.weeks(datasets)
    train, test = (
        Part(handbook_data.features(week), week["TX_FRAUD"] == 1, week["CUSTOMER_ID"], week["TX_TIME_DAYS"], week["TX_AMOUNT"])
        for week in (weeks.train, weeks.test)
    )
    return _try(train, test, MODEL_FEATURES, costs)


def of_file(path: Path, labels: Path | None, costs: Costs) -> Trial:
    """Raises UserMistake when there are no labels to judge by."""
    if labels is None:
        raise UserMistake("without labels nothing can be judged", hint="--labels names a CSV with event_id and fraud")
    return of(labelled.read(path, labels), costs)


def of(purchases: Purchases, costs: Costs) -> Trial:
    """The latest fifth is judged by a model of the rest. Raises UserMistake when it holds no fraud, or nothing else."""
    train, test = (_part(part) for part in purchases.split())
    if not 0 < test.frauds.sum() < len(test.frauds):
        raise UserMistake("the latest fifth of the purchases does not hold both kinds", hint="take a longer window")
    return _try(train, test, PURCHASES, costs)


def _part(purchases: Purchases) -> Part:
    assert purchases.frauds is not None
    facts = purchases.facts
    return Part(
        purchases.features, purchases.frauds, facts["user_id"], facts["occurred_at"] // _DAY_MS, facts["amount"].fillna(0.0)
    )


def _try(train: Part, test: Part, features: FeatureSet, costs: Costs) -> Trial:
    labelled_model = training.train(train.features, train.frauds, train.users, features, costs, seed=0)
    strange = training.train_unsupervised(train.features, features, costs, seed=0)
    return Trial(
        _judge(labelled_model, test, costs),
        _judge(strange, test, costs),
        _scores(labelled_model, test),
        test.frauds.to_numpy(bool),
        labelled_model.card.thresholds,
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
