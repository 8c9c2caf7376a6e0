"""The read model: one decision, as a risk analyst asks for it."""

from __future__ import annotations

from typing import Any

import msgspec

from clickstream.aws import Clients
from clickstream.errors import Missing
from clickstream.settings import Settings
from consumers.fraud import NAME
from consumers.fraud.decisions import Decision, Source
from consumers.fraud.items import decision_of
from consumers.fraud.presenting import as_json
from consumers.runtime.outages import translated
from models.fraud.scoring import Reason, Verdict

#: what an application publishes for others to read stands behind this module alone
__all__ = ["NAME", "Decision", "Decisions", "Reason", "Source", "Verdict", "as_json"]


class Decisions:
    """Answers from the decisions table. Raises RetryLater when DynamoDB does not answer, Missing when there is no table."""

    def __init__(self, clients: Clients, settings: Settings) -> None:
        self._dynamodb = clients.dynamodb
        self._table = settings.decisions_table

    def of(self, event_id: str) -> Decision | None:
        """The decision on a purchase; None when there is none (yet)."""
        with translated("DynamoDB"):
            try:
                answer: dict[str, Any] = dict(
                    self._dynamodb.get_item(TableName=self._table, Key={"event_id": {"S": event_id}}, ConsistentRead=True)
                )
            except self._dynamodb.exceptions.ResourceNotFoundException as error:
                raise Missing(
                    f"no table {self._table}", hint="start the local AWS (`clickstream local start`), or set AWS_ENDPOINT_URL"
                ) from error
        item = answer.get("Item")
        if item is None:
            return None
        try:
            return decision_of(item)
        except (KeyError, msgspec.MsgspecError) as error:
            raise Missing(
                f"the item of {event_id} in {self._table} is no decision of this version: {error}",
                hint="was the table written by another version of clickstream?",
            ) from error
