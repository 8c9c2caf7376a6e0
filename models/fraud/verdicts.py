"""What is said of a purchase, and why. Pure, and light to import: readers of decisions need no model."""

from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    APPROVE = "approve"
    REVIEW = "review"
    BLOCK = "block"


class Thresholds(msgspec.Struct, frozen=True):
    """Scores from which a purchase is reviewed, and blocked."""

    review: float
    block: float

    def verdict(self, score: float) -> Verdict:
        if score >= self.block:
            return Verdict.BLOCK
        return Verdict.REVIEW if score >= self.review else Verdict.APPROVE


class Reason(msgspec.Struct, frozen=True):
    """``effect``: how much the feature moved the score, in log odds (of an unsupervised model: in score)."""

    feature: str
    value: float
    effect: float
