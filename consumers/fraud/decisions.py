"""Purchases and a model in, decisions out; a decision as JSON. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from msgspec.structs import replace

from clickstream.consumers.fraud.fold import Candidate
from clickstream.consumers.fraud.rules import COLD_START, RULE_THRESHOLDS, judge, safeguard
from clickstream.models.fraud.purchases import PURCHASES
from clickstream.models.fraud.verdicts import Reason, Verdict
from clickstream.purchases import Bought, facts, reused

if TYPE_CHECKING:
    from clickstream.models.fraud.scoring import FraudModel

#: The model version of decisions that no model made.
RULES_VERSION = "rules-1"


class Source(StrEnum):
    MODEL = "model"
    """A model trained on labels; the score is a probability."""
    UNSUPERVISED = "unsupervised"
    """A model trained without; the score tells how strange the purchase is, from 0 to 1."""
    RULES = "rules"
    SAFEGUARD = "safeguard"
    """A person must look, whatever the model's score, which is kept."""


class Decision(Bought, frozen=True, kw_only=True):
    """What becomes of one purchase. ``decided_at`` in milliseconds, of the wall clock."""

    decided_at: int
    verdict: Verdict
    score: float
    reasons: list[Reason]
    source: Source
    model_version: str
    vector: tuple[float, ...]
    is_reuse: bool = False
    """Whether its event id stood for another purchase before."""

    @property
    def key(self) -> str:
        """Of its items: the event id, as long as that stands for this purchase."""
        return reused(self.event_id, self.purchase) if self.is_reuse else self.event_id


class Serving(msgspec.Struct, frozen=True):
    model: FraudModel
    version: str


#: Beside any verdict's own reasons, where the features of keys that cross shards are missing.
PARTIAL = Reason("keys_across_shards", math.nan, 0.0)

#: Beside the reasons for a decision whose event id was used before.
REUSED = Reason("reused_event_id", math.nan, 0.0)


def as_reuse(decision: Decision) -> Decision:
    """For a purchase whose event id stands for another one: it is decided on its own, and a person looks at it at least."""
    if decision.verdict is Verdict.APPROVE:
        decision = replace(decision, verdict=Verdict.REVIEW, source=Source.SAFEGUARD)
    return replace(decision, reasons=[*decision.reasons, REUSED], is_reuse=True)


def decide(candidates: Sequence[Candidate], serving: Serving | None, now_ms: int) -> list[Decision]:
    """One decision per purchase; the model scores all of them in one call."""
    if serving is None or not candidates:
        return [_decision(candidate, None, 0.0, now_ms) for candidate in candidates]
    scores = serving.model.score(np.array([candidate.vector for candidate in candidates], np.float64))
    return [_decision(candidate, serving, float(score), now_ms) for candidate, score in zip(candidates, scores, strict=True)]


_SEVERITY = {Verdict.APPROVE: 0, Verdict.REVIEW: 1, Verdict.BLOCK: 2}


def _decision(candidate: Candidate, serving: Serving | None, score: float, now_ms: int) -> Decision:
    """``score``: the model's."""
    features = dict(zip(PURCHASES.names, candidate.vector, strict=True))
    is_supervised = serving is not None and serving.model.card.is_supervised
    rules = safeguard(features)
    if not is_supervised:
        rules = max(judge(COLD_START, features), rules, key=lambda found: found.score)
    verdict, reasons, source = RULE_THRESHOLDS.verdict(rules.score), rules.reasons, Source.RULES
    if serving is None:
        score = rules.score
    elif _SEVERITY[verdict] <= _SEVERITY[told := serving.model.card.thresholds.verdict(score)]:
        verdict = told
        reasons = [] if told is Verdict.APPROVE else serving.model.reasons(np.array(candidate.vector))
        source = Source.MODEL if is_supervised else Source.UNSUPERVISED
    elif is_supervised:
        source = Source.SAFEGUARD
    return Decision(
        **facts(candidate),
        decided_at=now_ms,
        verdict=verdict,
        score=score,
        reasons=[*reasons, PARTIAL] if candidate.is_partial else reasons,
        source=source,
        model_version=RULES_VERSION if serving is None else serving.version,
        vector=candidate.vector,
    )


def as_json(decision: Decision) -> dict[str, Any]:
    """Every field but the vector, which stands as ``features`` by name; a missing value is null."""
    names = PURCHASES.names
    # a decision of older code may carry another vector: its numbers are given, but not under names that may be wrong
    named = names if len(names) == len(decision.vector) else [str(n) for n in range(len(decision.vector))]
    document: dict[str, Any] = msgspec.to_builtins(decision)
    del document["vector"], document["is_reuse"]
    for reason in document["reasons"]:
        reason["value"] = _number(reason["value"])
    return document | {"features": {name: _number(value) for name, value in zip(named, decision.vector, strict=True)}}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def alert_text(decision: Decision) -> bytes:
    """An alert's message: the decision without its features, one JSON object."""
    document = as_json(decision)
    del document["features"]
    return msgspec.json.encode(document)
