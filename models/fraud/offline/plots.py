"""The curves of a report, as a picture: precision and recall, calibration, cost."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clickstream.models.fraud.costs import Costs
from clickstream.models.fraud.verdicts import Thresholds

_BANDS = 12


def draw(
    path: Path, scores: NDArray[np.float64], frauds: NDArray[np.bool_], thresholds: Thresholds, costs: Costs, *, title: str
) -> None:
    """Write a PNG or SVG (by the path's suffix) of purchases whose outcome is known."""
    from matplotlib.figure import Figure
    from sklearn.metrics import precision_recall_curve

    figure = Figure(figsize=(13, 4), layout="constrained")
    curve, calibration, cost = figure.subplots(1, 3)
    precision, recall, at = precision_recall_curve(frauds, scores)
    curve.plot(recall, precision)
    for name, threshold in (("review", thresholds.review), ("block", thresholds.block)):
        place = min(int(np.searchsorted(at, threshold)), len(at) - 1)
        curve.plot(recall[place], precision[place], "o", label=f"{name} from {threshold:.3f}")
    curve.set(title="precision and recall", xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    curve.legend()

    # bands of equal numbers of frauds: bands of equal width would leave the rare high scores in one
    edges = np.unique(np.quantile(scores[frauds], np.linspace(0, 1, _BANDS + 1)))
    bands = np.digitize(scores, edges[1:-1])
    filled = [band for band in range(len(edges)) if (bands == band).any()]
    promised = [scores[bands == band].mean() for band in filled]
    came = [frauds[bands == band].mean() for band in filled]
    calibration.plot([1e-4, 1], [1e-4, 1], color="grey", linewidth=0.8)
    calibration.plot(promised, came, "o-")
    calibration.set(title="calibration", xlabel="mean score", ylabel="share of frauds", xscale="log", yscale="log")

    grid = np.geomspace(1e-3, 1, 200)
    alarms = [costs.total(scores, frauds, Thresholds(min(limit, thresholds.block), thresholds.block)) for limit in grid]
    cost.plot(grid, alarms)
    cost.axvline(thresholds.review, linestyle="--", color="grey", label="review from")
    cost.axhline(costs.total(scores, frauds, Thresholds(2.0, 2.0)), color="red", linewidth=0.8, label="approving all")
    cost.set(title="cost", xlabel="review threshold", ylabel="total cost", xscale="log", ylim=(0, None))
    cost.legend()
    figure.suptitle(title)
    figure.savefig(path, dpi=110)
