"""Candidates with the features of keys that cross shards filled in, from this shard's parts and the others'.

The others' are read for every batch of purchases. They count only while it is known that they are at most
``STALENESS_MS`` old; else, or when they cannot be read, the features stay missing, and the decision says so.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from msgspec.structs import replace

from clickstream.errors import RetryLater
from consumers.fraud.fold import CROSSING, Candidate
from consumers.fraud.freshness import STALENESS_MS, OtherShards
from consumers.fraud.sightings import SightingsTable
from models.features.crossing import Part

log = structlog.get_logger()


class Completing:
    """Completes one shard's candidates. Never raises for a store: an answer without these features is better than none."""

    def __init__(self, sightings: SightingsTable, shards: OtherShards) -> None:
        self._sightings = sightings
        self._shards = shards

    def completed(self, candidates: Sequence[Candidate], own: Sequence[Part], now_ms: int) -> list[Candidate]:
        """``own``: this shard's parts of at least the keys of these candidates, as of now."""
        try:
            told_ms = self._shards.told_up_to(now_ms)
            others = self._sightings.others(key for candidate in candidates for key in candidate.keys if key)
        except RetryLater as error:
            log.warning("deciding without what other shards saw", reason=str(error))
            return [replace(candidate, is_partial=True) for candidate in candidates]
        parts: dict[str, list[bytes]] = {name: list(theirs) for name, theirs in others.items()}
        for part in own:
            parts.setdefault(part.seen, []).append(part.content)
        return [self._complete(candidate, parts, told_ms, now_ms) for candidate in candidates]

    def _complete(self, candidate: Candidate, parts: dict[str, list[bytes]], told_ms: float, now_ms: int) -> Candidate:
        # a clock that is ahead waits for nobody
        if told_ms < min(candidate.occurred_at, now_ms) - STALENESS_MS:
            return replace(candidate, is_partial=True)
        vector = CROSSING.filled(candidate.vector, candidate.keys, candidate.occurred_at, parts)
        return replace(candidate, vector=vector)
