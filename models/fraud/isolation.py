"""An isolation forest as plain arrays, scored with numpy: how unlike its training rows a row is, without any label. Pure."""

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

_EULER_GAMMA = 0.5772156649015329


class ForestArrays(msgspec.Struct, frozen=True, kw_only=True):
    """All trees' nodes in one list, little-endian. A leaf is its own child and has its path length in ``length``."""

    roots: bytes
    """int32: the first node of each tree."""
    feature: bytes
    """int32."""
    threshold: bytes
    """float64: a row goes left if its value, as float32, is at most this."""
    left: bytes
    """int32."""
    right: bytes
    """int32."""
    length: bytes
    """float64: edges from the root, plus the expected rest for the training rows that share the leaf; 0 inside."""
    depth: int
    """The longest path, in edges."""
    sample: int
    """Training rows per tree."""
    fill: bytes
    """float64, one per feature: what stands in for a missing value."""


class IsolationForest:
    """Scores rows like scikit-learn's, to the last bits."""

    def __init__(self, arrays: ForestArrays) -> None:
        self._roots = np.frombuffer(arrays.roots, "<i4")
        self._feature = np.frombuffer(arrays.feature, "<i4")
        self._threshold = np.frombuffer(arrays.threshold, "<f8")
        self._left = np.frombuffer(arrays.left, "<i4")
        self._right = np.frombuffer(arrays.right, "<i4")
        self._length = np.frombuffer(arrays.length, "<f8")
        self._fill = np.frombuffer(arrays.fill, "<f8")
        self._depth = arrays.depth
        self._usual = expected_length(arrays.sample)

    @property
    def width(self) -> int:
        """Features of a row."""
        return len(self._fill)

    def score(self, rows: Matrix) -> NDArray[np.float64]:
        """Between 0 and 1, from ordinary to strange; ``rows`` is (n, features), NaN for missing."""
        filled = np.where(np.isnan(rows), self._fill, rows).astype(np.float32)
        at = np.arange(len(rows))[:, None]
        nodes = np.broadcast_to(self._roots, (len(rows), len(self._roots)))
        for _ in range(self._depth):
            goes_left = filled[at, self._feature[nodes]] <= self._threshold[nodes]
            nodes = np.where(goes_left, self._left[nodes], self._right[nodes])
        mean = self._length[nodes].sum(axis=1) / len(self._roots)
        return np.asarray(np.exp2(-mean / self._usual), np.float64)


def expected_length(rows: int) -> float:
    """The mean path length of an unsuccessful search in a random binary search tree of so many rows."""
    if rows <= 1:
        return 0.0
    if rows == 2:
        return 1.0
    return 2.0 * (math.log(rows - 1.0) + _EULER_GAMMA) - 2.0 * (rows - 1.0) / rows
