"""A fraud model as a worker uses it: a matrix of features in, probabilities and reasons out. No scikit-learn, no pandas.

A version holds ``model.msgpack`` (:class:`Card`) and, when it was trained on labels, ``model.treelite``. Nothing is unpickled.
"""

from collections.abc import Mapping

import msgspec
import numpy as np
import treelite
from numpy.typing import NDArray

from models.features.definitions import FeatureSet
from models.fraud.isolation import ForestArrays, IsolationForest, Matrix
from models.fraud.verdicts import Reason, Thresholds
from models.registry.manifest import UnusableModel, Version

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
    forest: ForestArrays | None = None
    """Given when the version was trained without labels: then it alone is the model."""


class FraudModel:
    """One version, ready to score. Raises UnusableModel when its parts do not fit each other."""

    def __init__(self, card: Card, trees: bytes | None) -> None:
        self.card = card
        self._forest = IsolationForest(card.forest) if card.forest is not None else None
        self._trees = _trees(trees) if trees is not None else None
        if (self._forest is None) == (self._trees is None):
            raise UnusableModel("a fraud model has either trees or an isolation forest")
        width = self._forest.width if self._forest is not None else self._trees.num_feature if self._trees is not None else 0
        if not width == len(card.features) == len(card.typical):
            raise UnusableModel(f"the model takes {width} features, but names {len(card.features)}")
        self._typical = np.array(card.typical)

    @property
    def is_supervised(self) -> bool:
        return self._trees is not None

    def margins(self, rows: Matrix) -> NDArray[np.float64]:
        """Calibrated log odds of fraud, (n,), for rows (n, features); of an unsupervised model its score."""
        if self._forest is not None:
            return self._forest.score(rows)
        assert self._trees is not None
        margin = treelite.gtil.predict(self._trees, np.ascontiguousarray(rows, np.float64), nthread=1, pred_margin=True)
        return self.card.slope * np.asarray(margin, np.float64).reshape(len(rows)) + self.card.offset

    def score(self, rows: Matrix) -> NDArray[np.float64]:
        """The probability of fraud, (n,), for rows (n, features), NaN for missing; of an unsupervised model 0 to 1, ordinary to
        strange."""
        margins = self.margins(rows)
        return margins if self._forest is not None else 1.0 / (1.0 + np.exp(-margins))

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


def encode(card: Card, trees: bytes | None) -> dict[str, bytes]:
    """A version's files."""
    files = {CARD_FILE: msgspec.msgpack.encode(card)}
    if trees is not None:
        files[TREES_FILE] = trees
    return files


def decode(files: Mapping[str, bytes]) -> FraudModel:
    """Raises UnusableModel when the files are not a fraud model's."""
    try:
        card = msgspec.msgpack.decode(files[CARD_FILE], type=Card)
    except KeyError as error:
        raise UnusableModel(f"no file {CARD_FILE}") from error
    except msgspec.MsgspecError as error:
        raise UnusableModel(f"{CARD_FILE}: {error}") from error
    return FraudModel(card, files.get(TREES_FILE))


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
