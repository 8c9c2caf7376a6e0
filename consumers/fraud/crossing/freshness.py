"""Candidates with the features of keys that cross shards filled in, from this shard's parts and the others'.

The others' are read for every batch of purchases. They count only while it is known that they are at most
``STALENESS_MS`` old; else, or when they cannot be read, the features stay missing, and the decision says so.
"""

from collections.abc import Iterable, Mapping, Sequence

import structlog
from msgspec.structs import replace

from clickstream.aws import Clients
from clickstream.consumers.fraud.crossing.sightings import SightingsTable
from clickstream.consumers.fraud.fold import CROSSING, Candidate
from clickstream.errors import RetryLater
from clickstream.progress.completeness import least
from clickstream.progress.shards_table import ShardProgress, ShardsTable
from clickstream.settings import Settings

#: A decision may miss what happened on another shard within so long before it, and nothing older.
STALENESS_MS = 2_000
#: The shards' progress is read at most this often.
_LOOK_EVERY_MS = 250

log = structlog.get_logger()


def told_up_to(shards: Iterable[ShardProgress], own: str) -> float:
    """The time (ms) up to which every other shard has told what had arrived; infinite without others. Pure.

    ``shards``: of the application. A commit writes them after its effects; see :mod:`clickstream.progress.completeness`. A part
    of the key space that no shard has told anything of is unknown.
    """
    told = [(each.hash_range, float("inf") if each.shard == own else float(each.arrived_to)) for each in shards]
    up_to = least(told)
    return float("-inf") if up_to is None else up_to


class OtherShards:
    """Looks at the shards table. Raises RetryLater when DynamoDB does not answer."""

    def __init__(self, clients: Clients, settings: Settings, application: str, shard_id: str) -> None:
        self._table = ShardsTable(clients, settings, waits=True)
        self._application = application
        self._shard_id = shard_id
        self._looked_ms: int | None = None
        self._told_up_to = float("-inf")
        self.ended: frozenset[str] = frozenset()
        """Shards that have told all they ever will, as of the last look."""

    def told_up_to(self, now_ms: int) -> float:
        """See :func:`told_up_to`, as of a moment ago. ``now_ms``: the wall clock."""
        if self._looked_ms is None or not 0 <= now_ms - self._looked_ms < _LOOK_EVERY_MS:
            shards = self._table.read(self._application)
            self._told_up_to = told_up_to(shards, self._shard_id)
            self.ended = frozenset(each.shard for each in shards if each.ended)
            self._looked_ms = now_ms
        return self._told_up_to


def completed(candidates: Sequence[Candidate], sightings: SightingsTable, shards: OtherShards, now_ms: int) -> list[Candidate]:
    """Never raises for a store: an answer without these features is better than none."""
    try:
        told_ms = shards.told_up_to(now_ms)
        others = sightings.others(part.seen for candidate in candidates for part in candidate.own if part.seen)
    except RetryLater as error:
        log.warning("deciding without what other shards saw", reason=str(error))
        return [replace(candidate, is_partial=True) for candidate in candidates]
    return [_complete(candidate, others, told_ms, now_ms) for candidate in candidates]


def _complete(candidate: Candidate, others: Mapping[str, Sequence[bytes]], told_ms: float, now_ms: int) -> Candidate:
    # a clock that is ahead waits for nobody
    if told_ms < min(candidate.occurred_at, now_ms) - STALENESS_MS:
        return replace(candidate, is_partial=True)
    return replace(candidate, vector=CROSSING.filled(candidate.vector, candidate.own, candidate.occurred_at, others))
