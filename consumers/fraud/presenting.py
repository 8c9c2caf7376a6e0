"""A decision as JSON for machines: the same in alerts and in answers. Pure."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from consumers.fraud.decisions import Decision
from models.fraud.purchases import PURCHASES


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


def alert_text(decision: Decision) -> bytes:
    """An alert's message: the decision without its features, one JSON object."""
    document = as_json(decision)
    del document["features"]
    return msgspec.json.encode(document)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
