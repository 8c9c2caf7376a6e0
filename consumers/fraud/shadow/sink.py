"""The candidate's opinions into the outcomes table (DynamoDB). Decisions and alerts are only ever read here.

The candidate is asked what the live model was asked: the vector that stands with the decision, which knows the user's week and
the other shards. A purchase that is not decided yet, or was by an older code, is asked with this fold's own vector.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from consumers.fraud import decided_table
from consumers.fraud.decisions import Decision, Serving, decide
from consumers.fraud.fold import Candidate
from consumers.fraud.outcomes_table import OutcomesTable
from consumers.fraud.shadow.opinion_items import item_of, opinion_of
from consumers.runtime.position import Position
from models.features.crossing import Part

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class Opinions:
    """See ``consumers.runtime.application.Sink``. An opinion that is written again is the same, or better informed."""

    def __init__(
        self,
        dynamodb: DynamoDBClient,
        decisions_table: str,
        outcomes: OutcomesTable,
        candidate: Serving,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        self._dynamodb = dynamodb
        self._decisions_table = decisions_table
        self._outcomes = outcomes
        self._candidate = candidate
        self._clock_s = clock_s

    def write(self, effects: Sequence[Candidate | Part], position: Position) -> None:
        """Raises RetryLater."""
        candidates = [effect for effect in effects if isinstance(effect, Candidate)]
        if not candidates:
            return
        live = decided_table.on(self._dynamodb, self._decisions_table, candidates)
        asked = [_as_asked(candidate, live.get((candidate.event_id, candidate.purchase))) for candidate in candidates]
        now_s = self._clock_s()
        decided = decide(asked, self._candidate, int(now_s * 1000))
        self._outcomes.put([item_of(opinion_of(decision), self._candidate.version, int(now_s)) for decision in decided])


def _as_asked(candidate: Candidate, live: Decision | None) -> Candidate:
    if live is None or len(live.vector) != len(candidate.vector):
        return replace(candidate, is_partial=True)
    return replace(candidate, vector=live.vector)
