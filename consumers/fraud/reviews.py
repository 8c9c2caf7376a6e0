"""What people did about decisions: who, what and when, beside the decision that stands and for as long. Pure.

    window                       part
    reviews#<day of decision>    <time of the decision>#<key>#<time>      one per act of a person, in the table of outcomes

A review changes no decision. The latest approval or block is what a shop should go by; a label says what became known.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

from clickstream.aws.items import item
from clickstream.consumers.fraud.decisions import Decision
from clickstream.consumers.fraud.items import KEPT_S
from clickstream.consumers.fraud.outcomes import HOUR_MS
from clickstream.models.fraud.labels import FRAUD, GENUINE

DAY_MS = 24 * HOUR_MS


class Action(StrEnum):
    APPROVE = "approve"
    BLOCK = "block"
    FRAUD = "fraud"
    GENUINE = "genuine"

    @property
    def label(self) -> str | None:
        """What became known by it; None when it is a verdict."""
        return {Action.FRAUD: FRAUD, Action.GENUINE: GENUINE}.get(self)


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """``by``: the name that the person gave; ``at``: ms since the epoch."""

    action: Action
    by: str
    at: int


def window(decided_ms: int) -> str:
    return f"reviews#{decided_ms // DAY_MS * DAY_MS}"


def part(decision: Decision) -> str:
    """What the keys of a decision's reviews begin with. All that follows has one length, so no other key begins so."""
    return f"{decision.decided_at:014d}#{decision.key}#"


def item_of(decision: Decision, review: Review) -> dict[str, Any]:
    return item(
        {
            "window": window(decision.decided_at),
            "part": f"{part(decision)}{review.at:014d}",
            "action": review.action.value,
            "by": review.by,
            "expires_at": decision.decided_at // 1000 + KEPT_S,
        }
    )


def review_of(stored: Mapping[str, Any]) -> tuple[str, Review]:
    """And the beginning of its key, which is its decision's."""
    start, at = stored["part"]["S"][:-14], stored["part"]["S"][-14:]
    return start, Review(action=Action(stored["action"]["S"]), by=stored["by"]["S"], at=int(at))
