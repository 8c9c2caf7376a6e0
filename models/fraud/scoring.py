"""A fraud model as a worker uses it: a matrix of features in, probabilities and reasons out. No scikit-learn, no pandas.

A version holds ``model.msgpack`` (:class:`Card`) and ``model.treelite``. Nothing is unpickled.
"""

from collections.abc import Mapping

import msgspec
import numpy as np
import treelite
from numpy.typing import NDArray

from clickstream.models.features.definitions import FeatureSet
from clickstream.models.fraud.verdicts import Reason, Thresholds
from clickstream.models.registry.manifest import UnusableModel, Version

Matrix = NDArray[np.float64]

#: The registry's name for these models.
MODEL = "fraud"
CARD_FILE = "model.msgpack"
TREES_FILE = "model.treelite"
#: Features named per decision.
REASONS = 3


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What a version's trees alone do not say. ``slope`` and ``offset`` turn a margin (log odds) into a calibrated one."""

    features: tuple[str, ...]
    signature: str
    """Of the feature set that made the training rows."""
    thresholds: Thresholds
    typical: tuple[float, ...]
    """Each feature's median over genuine purchases (NaN: mostly missing), against which reasons are measured."""
    slope: float = 1.0
    offset: float = 0.0
    is_supervised: bool = True
    """False when the version was trained without labels: its trees are an isolation forest, which knows no missing values."""


class FraudModel:
    """One version, ready to score. Raises UnusableModel when its parts do not fit each other."""

    def __init__(self, card: Card, trees: bytes) -> None:
        self.card = card
        self._trees = _trees(trees)
        if not self._trees.num_feature == len(card.features) == len(card.typical):
            raise UnusableModel(f"the model takes {self._trees.num_feature} features, but names {len(card.features)}")
        self._typical = np.array(card.typical)

    def margins(self, rows: Matrix) -> NDArray[np.float64]:
        """Calibrated log odds of fraud, (n,), for rows (n, features); of an unsupervised model its score."""
        card = self.card
        if not card.is_supervised:
            rows = filled(rows, self._typical)
        told = treelite.gtil.predict(self._trees, np.ascontiguousarray(rows), nthread=1, pred_margin=card.is_supervised)
        return card.slope * np.asarray(told, np.float64).reshape(len(rows)) + card.offset

    def score(self, rows: Matrix) -> NDArray[np.float64]:
        """The probability of fraud, (n,), for rows (n, features), NaN for missing; of an unsupervised model 0 to 1, ordinary to
        strange."""
        margins = self.margins(rows)
        return 1.0 / (1.0 + np.exp(-margins)) if self.card.is_supervised else margins

    def reasons(self, row: NDArray[np.float64], most: int = REASONS) -> list[Reason]:
        """The features that raised the score most, the strongest first.

        A feature's effect is the mean of two differences: how far the margin falls when it alone is set to its typical value,
        and how far the margin of the typical purchase rises when it alone is set to this row's. While features act alone or in
        pairs that is their Shapley value against the typical purchase; it costs 2·features + 2 rows in one call.
        """
        count = len(row)
        without = np.tile(row, (count + 1, 1))
        alone = np.tile(self._typical, (count + 1, 1))
        places = np.arange(count)
        without[places, places] = self._typical
        alone[places, places] = row
        margins = self.margins(np.concatenate([without, alone]))
        falls = margins[count] - margins[:count]
        rises = margins[count + 1 : -1] - margins[-1]
        effects = (falls + rises) / 2
        strongest = np.argsort(-effects, kind="stable")[:most]
        return [
            Reason(self.card.features[place], float(row[place]), float(effects[place]))
            for place in strongest
            if effects[place] > 0
        ]


def filled(rows: Matrix, typical: Matrix) -> Matrix:
    """What is missing as typical, 0 where that is missing too; single precision, which scikit-learn's forests compare in."""
    return np.where(np.isnan(rows), np.nan_to_num(typical), rows).astype(np.float32).astype(np.float64)


def encode(card: Card, trees: bytes) -> dict[str, bytes]:
    return {CARD_FILE: msgspec.msgpack.encode(card), TREES_FILE: trees}


def decode(files: Mapping[str, bytes]) -> FraudModel:
    """Raises UnusableModel when the files are not a fraud model's."""
    try:
        card, trees = msgspec.msgpack.decode(files[CARD_FILE], type=Card), files[TREES_FILE]
    except KeyError as error:
        raise UnusableModel(f"no file {error}") from error
    except msgspec.MsgspecError as error:
        raise UnusableModel(f"{CARD_FILE}: {error}") from error
    return FraudModel(card, trees)


def load(version: Version, features: FeatureSet) -> FraudModel:
    """The model of a version, if it was made for these features. Raises UnusableModel."""
    model = decode(version.files)
    if model.card.features != features.names:
        theirs, ours = set(model.card.features), set(features.names)
        difference = ", ".join(
            [*(f"+{name}" for name in sorted(theirs - ours)), *(f"-{name}" for name in sorted(ours - theirs))]
        )
        raise UnusableModel(f"its features are not this code's: {difference or 'another order'}")
    if model.card.signature != features.signature:
        raise UnusableModel("its features have this code's names but another meaning (windows, tracks or columns changed)")
    return model


def _trees(data: bytes) -> treelite.Model:
    try:
        return treelite.Model.deserialize_bytes(data)
    except treelite.TreeliteError as error:
        raise UnusableModel(f"{TREES_FILE} is not a treelite model: {str(error).splitlines()[0]}") from error
