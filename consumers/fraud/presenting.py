"""A decision as JSON for machines: the same in alerts and in answers. Pure."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from consumers.fraud.decisions import Decision
from models.fraud.purchases import PURCHASES


def as_json(decision: Decision) -> dict[str, Any]:
    """``features`` by name; a missing value is null."""
    names = PURCHASES.names
    # a decision of an older code may carry another vector: its numbers are told, but not under names that may be wrong
    named = names if len(names) == len(decision.vector) else [str(n) for n in range(len(decision.vector))]
    return {
        "event_id": decision.event_id,
        "order_id": decision.order_id,
        "user_id": decision.user_id,
        "occurred_at": decision.occurred_at,
        "decided_at": decision.decided_at,
        "amount": decision.amount,
        "currency": decision.currency,
        "verdict": decision.verdict.value,
        "score": decision.score,
        "reasons": [
            {"feature": reason.feature, "value": _number(reason.value), "effect": reason.effect} for reason in decision.reasons
        ],
        "source": decision.source.value,
        "model_version": decision.model_version,
        "features": {name: _number(value) for name, value in zip(named, decision.vector, strict=True)},
    }


def alert_text(decision: Decision) -> bytes:
    """An alert's message: the decision without its features, one JSON object."""
    told = as_json(decision)
    del told["features"]
    return msgspec.json.encode(told)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
