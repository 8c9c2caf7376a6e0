"""Candidates with the features of keys that cross shards filled in, from this shard's parts and the others'.

The others' are read for every batch of purchases. They count only while it is known that they are at most
``STALENESS_MS`` old; else, or when they cannot be read, the features stay missing, and the decision says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog
from msgspec.structs import replace

from clickstream.errors import RetryLater
from consumers.fraud.crossing.freshness import STALENESS_MS, OtherShards
from consumers.fraud.crossing.sightings import SightingsTable
from consumers.fraud.fold import CROSSING, Candidate

log = structlog.get_logger()


class Completing:
    """Completes one shard's candidates. Never raises for a store: an answer without these features is better than none."""

    def __init__(self, sightings: SightingsTable, shards: OtherShards) -> None:
        self._sightings = sightings
        self._shards = shards

    def completed(self, candidates: Sequence[Candidate], now_ms: int) -> list[Candidate]:
        try:
            told_ms = self._shards.told_up_to(now_ms)
            others = self._sightings.others(part.seen for candidate in candidates for part in candidate.own if part.seen)
        except RetryLater as error:
            log.warning("deciding without what other shards saw", reason=str(error))
            return [replace(candidate, is_partial=True) for candidate in candidates]
        return [_complete(candidate, others, told_ms, now_ms) for candidate in candidates]


def _complete(candidate: Candidate, others: Mapping[str, Sequence[bytes]], told_ms: float, now_ms: int) -> Candidate:
    # a clock that is ahead waits for nobody
    if told_ms < min(candidate.occurred_at, now_ms) - STALENESS_MS:
        return replace(candidate, is_partial=True)
    return replace(candidate, vector=CROSSING.filled(candidate.vector, candidate.own, candidate.occurred_at, others))
