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
from clickstream.consumers.fraud.rules import COLD_START, RULE_THRESHOLDS, RuleScore, judge, safeguard
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
    if not candidates:
        return []
    if serving is None:
        return [_by_rules(candidate, now_ms) for candidate in candidates]
    scores = serving.model.score(np.array([candidate.vector for candidate in candidates], np.float64))
    return [_by_model(candidate, serving, float(score), now_ms) for candidate, score in zip(candidates, scores, strict=True)]


def _by_rules(candidate: Candidate, now_ms: int) -> Decision:
    named = _named(candidate)
    found = max(judge(COLD_START, named), safeguard(named), key=lambda found: found.score)
    return _decision(
        candidate, RULE_THRESHOLDS.verdict(found.score), found.score, found.reasons, Source.RULES, RULES_VERSION, now_ms
    )


def _by_model(candidate: Candidate, serving: Serving, score: float, now_ms: int) -> Decision:
    model = serving.model
    verdict = model.card.thresholds.verdict(score)
    source = Source.MODEL if model.card.is_supervised else Source.UNSUPERVISED
    over = _overruling(model, candidate)
    if _SEVERITY[RULE_THRESHOLDS.verdict(over.score)] > _SEVERITY[verdict]:
        verdict = RULE_THRESHOLDS.verdict(over.score)
        source = Source.SAFEGUARD if model.card.is_supervised else Source.RULES
        reasons = over.reasons
    else:
        reasons = [] if verdict is Verdict.APPROVE else model.reasons(np.array(candidate.vector))
    return _decision(candidate, verdict, score, reasons, source, serving.version, now_ms)


def _overruling(model: FraudModel, candidate: Candidate) -> RuleScore:
    """Of the rules that count beside this model."""
    named = _named(candidate)
    found = safeguard(named)
    return found if model.card.is_supervised else max(found, judge(COLD_START, named), key=lambda found: found.score)


_SEVERITY = {Verdict.APPROVE: 0, Verdict.REVIEW: 1, Verdict.BLOCK: 2}


def _named(candidate: Candidate) -> dict[str, float]:
    return dict(zip(PURCHASES.names, candidate.vector, strict=True))


def _decision(
    candidate: Candidate,
    verdict: Verdict,
    score: float,
    reasons: list[Reason],
    source: Source,
    version: str,
    now_ms: int,
) -> Decision:
    if candidate.is_partial:
        reasons = [*reasons, PARTIAL]
    return Decision(
        **facts(candidate),
        decided_at=now_ms,
        verdict=verdict,
        score=score,
        reasons=reasons,
        source=source,
        model_version=version,
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
