"""Trains fraud models with pandas and scikit-learn; what comes out is scored without them (``models.fraud.scoring``)."""

from typing import Any

import msgspec
import numpy as np
import pandas as pd
import treelite
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from clickstream.errors import UserMistake
from clickstream.models.features.definitions import FeatureSet
from clickstream.models.fraud.costs import Costs
from clickstream.models.fraud.scoring import Card, filled
from clickstream.models.fraud.verdicts import Thresholds

#: Fewer frauds than this teach nothing that could be checked.
FEWEST_FRAUDS = 20
_FOLDS = 4
#: Chosen by cross-validation over the customers of the handbook's train week; shallow and slow, since frauds are few.
_PARAMETERS: dict[str, Any] = {
    "max_iter": 100,
    "learning_rate": 0.05,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 20,
    "l2_regularization": 1.0,
    "early_stopping": False,
}
_TREES = 100
_SAMPLE = 256


class Trained(msgspec.Struct, frozen=True):
    """A model's parts. ``held_out``: each training row's calibrated score by a model that had not seen its user."""

    card: Card
    trees: bytes
    classifier: HistGradientBoostingClassifier | IsolationForest
    held_out: NDArray[np.float64]


def train(rows: pd.DataFrame, frauds: pd.Series, users: pd.Series, features: FeatureSet, costs: Costs, *, seed: int) -> Trained:
    """A gradient-boosted model of labelled purchases, calibrated, with thresholds by cost.

    ``rows``: one column per feature, in the features' order; ``frauds``: truth values; ``users``: who bought. Calibration and
    thresholds come from scores of users that the scoring model had not seen. Raises UserMistake when there are too few frauds.
    """
    matrix, labels, groups = rows.to_numpy(np.float64), frauds.to_numpy(bool), users.to_numpy()
    if not FEWEST_FRAUDS <= labels.sum() <= len(labels) - FEWEST_FRAUDS:
        raise UserMistake(
            f"{int(labels.sum())} frauds among {len(labels)} purchases: at least {FEWEST_FRAUDS} of both kinds are needed",
            hint="take a longer training window, or train without labels for the cold start",
        )
    margins = np.empty(len(labels))
    for seen, unseen in GroupKFold(_FOLDS).split(matrix, labels, groups):
        margins[unseen] = _boosted(matrix[seen], labels[seen], seed).decision_function(matrix[unseen])
    calibration = LogisticRegression(C=np.inf).fit(margins[:, None], labels)
    slope, offset = float(calibration.coef_[0, 0]), float(calibration.intercept_[0])
    if slope <= 0:
        raise UserMistake("the features say nothing about these frauds", hint="check that labels and purchases belong together")
    held_out = 1.0 / (1.0 + np.exp(-(slope * margins + offset)))
    classifier = _boosted(matrix, labels, seed)
    card = Card(
        features=tuple(rows.columns),
        signature=features.signature,
        thresholds=costs.thresholds(held_out),
        typical=_typical(rows[~labels]),
        slope=slope,
        offset=offset,
    )
    return Trained(card, treelite.sklearn.import_model(classifier).serialize_bytes(), classifier, held_out)


def train_unsupervised(rows: pd.DataFrame, features: FeatureSet, costs: Costs, *, seed: int) -> Trained:
    """An isolation forest, for the time when no labels exist: the strangest purchases are reviewed, none is blocked."""
    if len(rows) < _SAMPLE:
        raise UserMistake(f"{len(rows)} purchases: at least {_SAMPLE} are needed", hint="take a longer training window")
    typical = _typical(rows)
    matrix = filled(rows.to_numpy(np.float64), np.array(typical))
    forest = IsolationForest(n_estimators=_TREES, max_samples=_SAMPLE, random_state=seed).fit(matrix)
    held_out = -forest.score_samples(matrix)
    review = float(np.nextafter(np.quantile(held_out, 1 - costs.capacity), np.inf))
    card = Card(
        features=tuple(rows.columns),
        signature=features.signature,
        thresholds=Thresholds(review, 2.0),  # no score reaches it
        typical=typical,
        is_supervised=False,
    )
    return Trained(card, treelite.sklearn.import_model(forest).serialize_bytes(), forest, held_out)


def _boosted(matrix: NDArray[np.float64], labels: NDArray[np.bool_], seed: int) -> HistGradientBoostingClassifier:
    # scikit-learn cannot bin a feature that every row lacks; of a constant it learns nothing, which is what there is to learn
    known = np.where(np.isnan(matrix).all(axis=0), 0.0, matrix)
    return HistGradientBoostingClassifier(random_state=seed, **_PARAMETERS).fit(known, labels)


def parameters() -> dict[str, Any]:
    return {"model": "HistGradientBoostingClassifier", **_PARAMETERS}


def _typical(genuine: pd.DataFrame) -> tuple[float, ...]:
    """Medians; a feature that most purchases lack is typically missing."""
    medians = genuine.median().where(genuine.notna().mean() >= 0.5)
    return tuple(float(value) for value in medians)
