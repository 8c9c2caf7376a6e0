"""The shadow application of one candidate, ``consumers.fraud.shadow.sink@VERSION`` for the runtime, and its opinions.

They go into the outcomes table (DynamoDB). Decisions and alerts are only ever read here.

The candidate is asked what the live model was asked: the vector that stands with the decision, which knows the user's week and
the other shards. A purchase that is not decided yet, or was by an older code, is asked with this fold's own vector.
"""

import time
from collections.abc import Sequence

from msgspec.structs import replace

from clickstream.application import Application, Sink, Wiring
from clickstream.aws import Clients
from clickstream.consumers.fraud import NAME, tables
from clickstream.consumers.fraud.decisions import Decision, Serving, decide
from clickstream.consumers.fraud.fold import Candidate, FraudFold
from clickstream.consumers.fraud.needs import DECISIONS, OUTCOMES
from clickstream.consumers.fraud.shadow.opinion_items import item_of
from clickstream.consumers.fraud.tables import OutcomesTable
from clickstream.models.features.crossing import Part
from clickstream.models.fraud import scoring
from clickstream.models.fraud.purchases import PURCHASES
from clickstream.models.registry.s3 import Registry
from clickstream.platform import MODELS
from clickstream.records.position import Position
from clickstream.settings import Settings


class Opinions:
    """See ``clickstream.application.Sink``. An opinion that is written again is the same, or better informed."""

    def __init__(self, clients: Clients, settings: Settings, candidate: Serving) -> None:
        self._dynamodb = clients.dynamodb
        self._decisions_table = DECISIONS.of(settings)
        self._outcomes = OutcomesTable(clients.dynamodb, OUTCOMES.of(settings))
        self._candidate = candidate

    def write(self, effects: Sequence[Candidate | Part], position: Position) -> None:
        """Raises RetryLater."""
        candidates = [effect for effect in effects if isinstance(effect, Candidate)]
        if not candidates:
            return
        live = tables.on(self._dynamodb, self._decisions_table, candidates)
        asked = [_as_asked(candidate, live.get((candidate.event_id, candidate.purchase))) for candidate in candidates]
        now_s = time.time()
        decided = decide(asked, self._candidate, int(now_s * 1000))
        self._outcomes.put([item_of(decision, self._candidate.version, int(now_s)) for decision in decided])


def _as_asked(candidate: Candidate, live: Decision | None) -> Candidate:
    if live is None or len(live.vector) != len(candidate.vector):
        return replace(candidate, is_partial=True)
    return replace(candidate, vector=live.vector)


def name_of(version: str) -> str:
    """The application's name: each candidate has its own leases and its own state."""
    return f"{NAME}-shadow-{version}"


def application(version: str) -> Application:
    def open_sink(_: str, clients: Clients, settings: Settings) -> Sink:
        registry = Registry(clients.s3, MODELS.of(settings))
        model = scoring.load(registry.load(scoring.MODEL, version), PURCHASES)
        return Opinions(clients, settings, Serving(model, version))

    return Wiring(name_of(version), lambda _: FraudFold(), open_sink)
