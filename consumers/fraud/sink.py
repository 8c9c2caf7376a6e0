"""Decisions into the decisions table (DynamoDB), the first one of a purchase for ever; alerts to a topic (SNS).

The table is the alerts' outbox: a decision is written with its alert pending, then the topic is told, then the alert is marked
as sent. Whoever writes the same purchase again, after a crash in between, finds the alert pending and completes it. So every
alert is sent, and only a crash between the topic and the mark sends one twice; it carries the event id by which to know it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import structlog

from clickstream.errors import Missing, RetryLater
from consumers.fraud.completing import Completing
from consumers.fraud.decisions import Decision, Serving, decide
from consumers.fraud.fold import Candidate
from consumers.fraud.freshness import OtherShards
from consumers.fraud.items import SENT, alert_is_due, decision_of, item_of
from consumers.fraud.outcomes_table import OutcomesTable
from consumers.fraud.presenting import alert_text
from consumers.fraud.sightings import SightingsTable
from consumers.runtime.outages import translated
from consumers.runtime.position import Position
from models.features.crossing import Part
from models.fraud.scoring import FraudModel
from models.registry.following import Followed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sns import SNSClient

#: A batch write knows no conditions, so decisions go one by one; this many at a time hide the round trips.
THREADS = 8

log = structlog.get_logger()


class Alerts:
    """The topic of alerts. Its ARN is asked for by name at the first alert; that also makes a topic which is not there."""

    def __init__(self, sns: SNSClient, topic: str) -> None:
        self._sns = sns
        self._topic = topic
        self._arn: str | None = None

    def send(self, decision: Decision) -> None:
        """Raises RetryLater."""
        with translated("SNS"):
            if self._arn is None:
                self._arn = self._sns.create_topic(Name=self._topic)["TopicArn"]
            self._sns.publish(
                TopicArn=self._arn,
                Subject=f"{decision.verdict.value}: order {decision.order_id}"[:100],
                Message=alert_text(decision),
                MessageAttributes={
                    "verdict": {"DataType": "String", "StringValue": decision.verdict.value},
                    "event_id": {"DataType": "String", "StringValue": decision.event_id},
                },
            )


class DecisionsTable:
    """See ``consumers.runtime.application.Sink``; its effects are :class:`Candidate`, and :class:`Part` of what crosses shards.

    ``followed``: the model; None decides by rules alone. It is looked for here, between two commits, and never within one.
    """

    def __init__(
        self,
        dynamodb: DynamoDBClient,
        table: str,
        alerts: Alerts,
        outcomes: OutcomesTable,
        sightings: SightingsTable,
        shards: OtherShards,
        followed: Followed[FraudModel] | None,
        clock_s: Callable[[], float] = time.time,
        executor: Executor | None = None,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._alerts = alerts
        self._outcomes = outcomes
        self._sightings = sightings
        self._completing = Completing(sightings, shards)
        self._followed = followed
        self._clock_s = clock_s
        self._threads = executor or ThreadPoolExecutor(THREADS, thread_name_prefix="decisions")

    def write(self, effects: Sequence[Candidate | Part], position: Position) -> None:
        """Raises RetryLater when anything could not be written; the rest is, and decisions stay as they are."""
        candidates = [effect for effect in effects if isinstance(effect, Candidate)]
        parts = [effect for effect in effects if isinstance(effect, Part)]
        writes = [self._threads.submit(self._put, decision) for decision in self._decided(candidates)]
        trouble: list[BaseException] = []
        try:
            self._sightings.write(parts, position)  # meanwhile: no decision waits for them
        except RetryLater as error:
            trouble.append(error)
        trouble = [failure for write in writes if (failure := write.exception()) is not None] + trouble
        self._outcomes.write(write.result() for write in writes if write.exception() is None)
        if trouble:
            raise trouble[0]

    def _decided(self, candidates: Sequence[Candidate]) -> list[Decision]:
        if not candidates:
            return []
        now_ms = int(self._clock_s() * 1000)
        serving = self._serving(now_ms)
        return decide(self._completing.completed(candidates, now_ms), serving, now_ms)

    def _serving(self, now_ms: int) -> Serving | None:
        followed = self._followed
        if followed is None:
            return None
        try:
            followed.look(now_ms)
        except Missing as missing:  # a shop without a registry decides by rules
            log.warning("no model registry", reason=str(missing), goes_on_with=followed.version)
        if followed.value is None or followed.version is None:
            return None
        return Serving(followed.value, followed.version)

    def _put(self, decision: Decision) -> Decision:
        """The decision that stands: this one, or the one that was made before it."""
        item: dict[str, Any] = dict(item_of(decision))
        with translated("DynamoDB"):
            try:
                self._dynamodb.put_item(
                    TableName=self._table,
                    Item=item,
                    ConditionExpression="attribute_not_exists(event_id)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
                first = item
            except self._dynamodb.exceptions.ConditionalCheckFailedException as refused:
                # decided before: by us, or by the owner before us
                stood: dict[str, Any] | None = refused.response.get("Item")  # type: ignore[assignment]  # not in the stubs
                first = stood or self._read(decision.event_id)
        stands = decision_of(first)
        if alert_is_due(first):
            self._alerts.send(stands)
            self._mark_sent(decision.event_id)
        return stands

    def _read(self, event_id: str) -> dict[str, Any]:
        """For stores that do not return what stood in the way."""
        found = self._dynamodb.get_item(TableName=self._table, Key={"event_id": {"S": event_id}}, ConsistentRead=True)
        return dict(found.get("Item", {}))

    def _mark_sent(self, event_id: str) -> None:
        with translated("DynamoDB"):
            self._dynamodb.update_item(
                TableName=self._table,
                Key={"event_id": {"S": event_id}},
                UpdateExpression="SET alert = :sent",
                ExpressionAttributeValues={":sent": {"S": SENT}},
            )
