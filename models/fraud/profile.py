"""How a version's training rows were spread, feature by feature, and how far other rows are from that. Pure.

The distance is the population stability index (PSI): below 0.1 nothing has changed, from 0.25 on it is another population.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

#: In a version, beside the model; versions of older code have none.
FILE = "profile.json"
SHIFTED = 0.25
#: Of a bin that nothing fell into; an empty one would be infinitely far.
_LEAST_SHARE = 1e-3


class Spread(msgspec.Struct, frozen=True):
    """A feature's deciles, without repeats, and the shares of the rows below, at and between them; the last: missing values."""

    edges: list[float]
    shares: list[float]


def encode(rows: Matrix, names: Sequence[str]) -> bytes:
    spreads = {name: _spread(column) for name, column in zip(names, rows.T, strict=True)}
    return msgspec.json.encode(spreads)


def shifts(profile: bytes, rows: Matrix, names: Sequence[str]) -> dict[str, float]:
    """Each feature's PSI, the farthest first."""
    spreads = msgspec.json.decode(profile, type=dict[str, Spread])
    found = {name: _distance(spreads[name], column) for name, column in zip(names, rows.T, strict=True) if name in spreads}
    return dict(sorted(found.items(), key=lambda each: -each[1]))


def _spread(values: Matrix) -> Spread:
    known = values[~np.isnan(values)]
    edges = np.unique(np.quantile(known, np.arange(1, 10) / 10)) if len(known) else np.empty(0)
    return Spread(edges.tolist(), _shares(values, edges).tolist())


def _shares(values: Matrix, edges: Matrix) -> Matrix:
    # an edge is a bin of its own: most features are zero for most purchases, and what is more must not fall in with that
    places = np.searchsorted(edges, values, side="left") + np.searchsorted(edges, values, side="right")
    places[np.isnan(values)] = 2 * len(edges) + 1
    return np.bincount(places, minlength=2 * len(edges) + 2) / len(values)


def _distance(spread: Spread, values: Matrix) -> float:
    expected = np.maximum(spread.shares, _LEAST_SHARE)
    seen = np.maximum(_shares(values, np.array(spread.edges)), _LEAST_SHARE)
    return float(((seen - expected) * np.log(seen / expected)).sum())
