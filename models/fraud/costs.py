"""What decisions cost, and the thresholds that follow from it. Pure."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from clickstream.models.fraud.verdicts import Thresholds

Scores = NDArray[np.float64]


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """In any one unit of money. The defaults are a shop's whose mean fraud costs 100 euro; raises ValueError when senseless."""

    missed_fraud: float = 100.0
    """A fraud that was approved: goods, fee of the chargeback."""
    false_block: float = 30.0
    """A genuine purchase that was blocked: the margin, and a customer who may not come back."""
    review: float = 3.0
    """A person who looks at a purchase, and decides rightly."""
    capacity: float = 0.02
    """The share of purchases that people can review."""

    def __post_init__(self) -> None:
        if not (0 < self.review < self.missed_fraud and self.review < self.false_block and 0 < self.capacity <= 1):
            raise ValueError("a review must cost less than a missed fraud and a false block; the capacity is a share in (0, 1]")

    def thresholds(self, scores: Scores) -> Thresholds:
        """For calibrated probabilities, of which ``scores`` are a sample as it is met in production.

        A review pays when ``p · missed_fraud > review``, a block is cheaper when ``(1 - p) · false_block < review``.
        When more purchases lie between than people can review, the likelier frauds among them are reviewed.
        """
        block = 1.0 - self.review / self.false_block
        review = min(self.review / self.missed_fraud, block)
        below_block = np.sort(scores[scores < block])
        places = int(self.capacity * len(scores))
        if places < int((below_block >= review).sum()):
            # the score of the first purchase for which no place is left must stay outside
            review = min(block, float(np.nextafter(below_block[-places - 1], np.inf)))
        return Thresholds(review, block)

    def total(self, scores: Scores, frauds: NDArray[np.bool_], thresholds: Thresholds) -> float:
        """What deciding these purchases so would have cost."""
        blocked = scores >= thresholds.block
        reviewed = (scores >= thresholds.review) & ~blocked
        approved = ~(blocked | reviewed)
        return float(
            self.missed_fraud * (approved & frauds).sum()
            + self.review * reviewed.sum()
            + self.false_block * (blocked & ~frauds).sum()
        )
