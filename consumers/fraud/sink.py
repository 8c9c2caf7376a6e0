"""Decisions into the decisions table (DynamoDB), the first one on a purchase for ever; alerts to a topic (SNS).

The table is the alerts' outbox: a decision is written with its alert pending, then the topic is told, then the alert is marked
as sent. Whoever writes the same purchase again, after a crash in between, finds the alert pending and completes it. So every
alert is sent, and only a crash between the topic and the mark sends one twice; it carries the event id by which to know it.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import structlog

from clickstream.aws import Clients
from clickstream.aws.items import Value, update
from clickstream.aws.topics import Topic
from clickstream.consumers.fraud import NAME
from clickstream.consumers.fraud.crossing.freshness import OtherShards, completed
from clickstream.consumers.fraud.crossing.sightings import SightingsTable, trouble
from clickstream.consumers.fraud.decisions import Decision, Serving, alert_text, as_reuse, decide
from clickstream.consumers.fraud.fold import Candidate
from clickstream.consumers.fraud.items import PENDING, SENT, decision_of, item_of
from clickstream.consumers.fraud.needs import ALERTS, DECISIONS, OUTCOMES, SIGHTINGS
from clickstream.consumers.fraud.tables import OutcomesTable
from clickstream.errors import Missing
from clickstream.failures.fan_out import raise_gravest
from clickstream.failures.outages import translated
from clickstream.models.features.crossing import Part
from clickstream.models.fraud.scoring import FraudModel
from clickstream.models.registry.following import Followed
from clickstream.purchases import MOST_NAMED
from clickstream.records.position import Position
from clickstream.settings import Settings

#: A batch write knows no conditions, so decisions go one by one; this many at a time hide the round trips.
THREADS = 8

log = structlog.get_logger()


class DecisionsTable:
    """See ``clickstream.application.Sink``; its effects are :class:`Candidate`, and :class:`Part` of what crosses shards.

    ``followed``: the model. It is looked for here, between two commits, and never within one.
    """

    def __init__(
        self,
        clients: Clients,
        settings: Settings,
        shard_id: str,
        followed: Followed[FraudModel],
        *,
        alerts: Topic | None = None,
        clock_s: Callable[[], float] = time.time,
        executor: Executor | None = None,
    ) -> None:
        self._dynamodb = clients.dynamodb
        self._table = DECISIONS.of(settings)
        self._alerts = alerts or Topic(clients.sns, ALERTS.of(settings))
        self._outcomes = OutcomesTable(clients.dynamodb, OUTCOMES.of(settings))
        self._shards = shards = OtherShards(clients, settings, NAME, shard_id)
        self._sightings = SightingsTable(
            clients.dynamodb, SIGHTINGS.of(settings), shard_id, clock_s, ended=lambda: shards.ended
        )
        self._followed = followed
        self._clock_s = clock_s
        self._threads = executor or ThreadPoolExecutor(THREADS, thread_name_prefix="decisions")

    def write(self, effects: Sequence[Candidate | Part], position: Position) -> None:
        """Raises RetryLater or Unwritable when anything could not be written; the rest is, and decisions stay as they are."""
        candidates = [effect for effect in effects if isinstance(effect, Candidate)]
        parts = [effect for effect in effects if isinstance(effect, Part)]
        writes = [self._threads.submit(self._put, decision) for decision in self._decided(candidates)]
        of_sightings = trouble(self._sightings.write, parts, position)  # meanwhile: no decision waits for them
        of_decisions = [write.exception() for write in writes]
        stand = [write.result() for write, failure in zip(writes, of_decisions, strict=True) if failure is None]
        raise_gravest([of_sightings, *of_decisions, trouble(self._outcomes.write, stand)])

    def _decided(self, candidates: Sequence[Candidate]) -> list[Decision]:
        if not candidates:
            return []
        now_ms = int(self._clock_s() * 1000)
        serving = self._serving(now_ms)
        return decide(completed(candidates, self._sightings, self._shards, now_ms), serving, now_ms)

    def _serving(self, now_ms: int) -> Serving | None:
        followed = self._followed
        try:
            followed.look(now_ms)
        except Missing as missing:  # a shop without a registry decides by rules
            log.warning("no model registry", reason=str(missing), goes_on_with=followed.version)
        if followed.value is None or followed.version is None:
            return None
        return Serving(followed.value, followed.version)

    def _put(self, decision: Decision) -> Decision:
        """The decision on this purchase that stands: this one, or the one that was made before it."""
        stood = self._insert(decision)
        if stood is not None and stood["purchase"]["S"] != decision.purchase:
            # another purchase under the same event id: its decision says nothing about this one
            self._name_reuse(decision)
            decision = as_reuse(decision)
            stood = self._insert(decision)
        first = stood or dict(item_of(decision))
        stands = decision_of(first)
        if first.get("alert") == {"S": PENDING}:
            self._send(stands)
        return stands

    def _insert(self, decision: Decision) -> dict[str, Any] | None:
        """None when it is written, else the item that stood there: by us, or by the owner before us."""
        with translated("DynamoDB"):
            try:
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item=item_of(decision),
                    ConditionExpression="attribute_not_exists(event_id)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except self._dynamodb.exceptions.ConditionalCheckFailedException as refused:
                stood: dict[str, Any] = refused.response["Item"]  # type: ignore[typeddict-item]  # not in the stubs
                return stood
        return None

    def _name_reuse(self, decision: Decision) -> None:
        """With the first purchase of the id, for those who look it up by the id alone; of a flood only some are named."""
        key = {"event_id": decision.event_id}
        named: dict[str, Value] = {"purchase": frozenset({decision.purchase}), "most": MOST_NAMED}
        condition = "attribute_not_exists(reused) OR size(reused) < :most"
        with translated("DynamoDB"):
            try:
                self._dynamodb.update_item(**update(self._table, key, "ADD reused :purchase", named, condition))
            except self._dynamodb.exceptions.ConditionalCheckFailedException:
                log.warning("an event id is used again and again", event_id=decision.event_id)

    def _send(self, decision: Decision) -> None:
        verdict = decision.verdict.value
        attributes = {"verdict": verdict, "event_id": decision.event_id}
        self._alerts.publish(alert_text(decision), attributes, title=f"{verdict}: order {decision.order_id}")
        with translated("DynamoDB"):
            self._dynamodb.update_item(**update(self._table, {"event_id": decision.key}, "SET alert = :sent", {"sent": SENT}))
