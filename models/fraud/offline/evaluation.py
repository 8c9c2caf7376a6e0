"""How good scores were, against what came out."""

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from clickstream.models.fraud.costs import Costs
from clickstream.models.fraud.verdicts import Thresholds

#: Cards that people can look at per day, in the handbook.
CARDS_PER_DAY = 100


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Of scored purchases with known outcome; shares are of all purchases, money in the unit of the costs."""

    purchases: int
    frauds: int
    auc: float
    average_precision: float
    card_precision: float
    """At :data:`CARDS_PER_DAY`, see :func:`card_precision`."""
    brier: float
    """Mean squared error of the probabilities."""
    reviewed: float
    blocked: float
    caught: float
    """The share of frauds that were reviewed or blocked."""
    money_caught: float
    """The same, weighed by amount."""
    false_alarms: float
    """The share of genuine purchases that were reviewed or blocked."""
    precision: float
    """The share of frauds among the reviewed and blocked; 0 without any."""
    cost: float
    cost_of_approving_all: float


def report(
    scores: NDArray[np.float64],
    frauds: NDArray[np.bool_],
    amounts: NDArray[np.float64],
    users: pd.Series,
    days: pd.Series,
    thresholds: Thresholds,
    costs: Costs,
) -> Report:
    """All arguments are one value per purchase; ``scores`` are probabilities, ``days`` any day numbers."""
    alarms = scores >= thresholds.review
    blocks = scores >= thresholds.block
    stolen = float(amounts[frauds].sum())
    return Report(
        purchases=len(scores),
        frauds=int(frauds.sum()),
        auc=float(roc_auc_score(frauds, scores)),
        average_precision=float(average_precision_score(frauds, scores)),
        card_precision=card_precision(scores, frauds, users, days),
        brier=float(brier_score_loss(frauds, scores)),
        reviewed=float((alarms & ~blocks).mean()),
        blocked=float(blocks.mean()),
        caught=float(alarms[frauds].mean()),
        money_caught=float(amounts[alarms & frauds].sum()) / stolen if stolen else 0.0,
        false_alarms=float(alarms[~frauds].mean()),
        precision=float(frauds[alarms].mean()) if alarms.any() else 0.0,
        cost=costs.total(scores, frauds, thresholds),
        cost_of_approving_all=costs.total(scores, frauds, Thresholds(2.0, 2.0)),
    )


class KindReport(msgspec.Struct, frozen=True):
    """Of one kind of fraud: how many, their share of all stolen money, and what was caught of them."""

    frauds: int
    share_of_money: float
    caught: float
    money_caught: float


def by_kind(
    scores: NDArray[np.float64], kinds: pd.Series, amounts: NDArray[np.float64], *, false_alarms: float
) -> dict[str, KindReport]:
    """At the threshold that so large a share of the genuine purchases reach; ``kinds`` is "" for those. "all" sums up."""
    frauds = (kinds != "").to_numpy()
    alarms = scores > np.quantile(scores[~frauds], 1 - false_alarms)
    stolen = float(amounts[frauds].sum())

    def of(chosen: NDArray[np.bool_]) -> KindReport:
        money = float(amounts[chosen].sum())
        return KindReport(
            frauds=int(chosen.sum()),
            share_of_money=money / stolen if stolen else 0.0,
            caught=float(alarms[chosen].mean()),
            money_caught=float(amounts[chosen & alarms].sum()) / money if money else 0.0,
        )

    found = {str(kind): of((kinds == kind).to_numpy()) for kind in sorted(kinds[frauds].unique())}
    return {**found, "all": of(frauds)}


def card_precision(scores: NDArray[np.float64], frauds: NDArray[np.bool_], users: pd.Series, days: pd.Series) -> float:
    """The handbook's card precision: of the 100 cards with the highest scores of a day, the share with a fraud that day.

    Cards that were found so are not looked at again on later days. The mean over the days.
    """
    table = pd.DataFrame({"card": users.to_numpy(), "day": days.to_numpy(), "score": scores, "fraud": frauds})
    found: set[object] = set()
    precisions = []
    for _, of_day in table.groupby("day"):
        cards = of_day[~of_day["card"].isin(found)].groupby("card")[["score", "fraud"]].max()
        first = cards.sort_values("score", ascending=False, kind="stable").head(CARDS_PER_DAY)
        caught = first.index[first["fraud"].astype(bool)]
        precisions.append(len(caught) / CARDS_PER_DAY)
        found.update(caught)
    return float(np.mean(precisions))
