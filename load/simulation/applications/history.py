"""An application that cannot hide a mistake: per user the list of events in order, and a decision per purchase.

Its state is kept as what was added since the last commit, so that a snapshot chain with a link missing, repeated or out of
place gives another list. A decision is the purchase's ordinal among its user's events: written if absent, and equal whoever
writes it. Some events it cannot take: its fold raises, or its sink, each time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from clickstream.application import Inheritance
from clickstream.events import AddToCart, AnyEvent, Purchase
from clickstream.failures.outages import translated
from clickstream.failures.refusals import error_code
from clickstream.records.position import Position
from clickstream.records.routing import hash_key

#: In an event id: the store refuses this purchase's decision for ever.
UNWRITABLE = "unwritable"
#: A product that the fold, or the sink, has a bug for.
BREAKS_THE_FOLD, BREAKS_THE_SINK = "breaks the fold", "breaks the sink"


class PlantedBug(Exception):
    """A fault of the application's own code."""


class History(msgspec.Struct, frozen=True):
    """An effect: everything that a user did, in order."""

    user_id: str
    events: tuple[str, ...]


class Decision(msgspec.Struct, frozen=True):
    """An effect: this purchase was its user's ``ordinal``-th event."""

    purchase: str
    ordinal: int
    breaks: bool = False

    @property
    def row(self) -> str:
        """Its key in the table. Of some it is one that no store takes."""
        return self.purchase + "~" * 2_048 if UNWRITABLE in self.purchase else self.purchase


class HistoryFold:
    """See ``clickstream.application.Fold``. ``work`` is what takes time in it."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._users: dict[str, list[str]] = {}
        self._added: dict[str, list[str]] = {}
        self._touched: dict[str, None] = {}
        self._decisions: list[Decision] = []

    def apply(self, events: Sequence[AnyEvent]) -> None:
        self._work()
        for event in events:
            if isinstance(event, AddToCart) and event.product_id == BREAKS_THE_FOLD:
                raise PlantedBug(f"the fold cannot take {event.event_id}")
            key = f"{event.event_id} of {event.user_id}"
            history = self._users.setdefault(event.user_id, [])
            history.append(key)
            self._added.setdefault(event.user_id, []).append(key)
            self._touched[event.user_id] = None
            if isinstance(event, Purchase):
                breaks = event.items[0].product_id == BREAKS_THE_SINK
                self._decisions.append(Decision(key, len(history), breaks))

    def effects(self, *, flush: bool) -> Sequence[Any]:
        effects: list[Any] = [History(user, tuple(self._users[user])) for user in self._touched]
        effects += self._decisions
        self._touched, self._decisions = {}, []
        return effects

    def changes(self) -> bytes:
        added, self._added = self._added, {}
        return msgspec.msgpack.encode(added)

    def snapshot(self) -> bytes:
        self._added = {}
        return msgspec.msgpack.encode(self._users)

    def restore(self, state: bytes, inheritance: Inheritance | None) -> None:
        for user, added in msgspec.msgpack.decode(state, type=dict[str, list[str]]).items():
            if inheritance is None or hash_key(user) in inheritance.keys:
                self._users.setdefault(user, []).extend(added)


class HistorySink:
    """See ``clickstream.application.Sink``; like the real ones it guards rows by position, and decisions by absence."""

    def __init__(self, dynamodb: Any, attempts: list[Decision]) -> None:
        self._dynamodb = dynamodb
        self._attempts = attempts

    def write(self, effects: Sequence[Any], position: Position) -> None:
        for effect in effects:
            if isinstance(effect, History):
                self._put_history(effect, position)
            else:
                self._put_decision(effect)

    def _put_history(self, history: History, position: Position) -> None:
        self._put(
            TableName="users",
            Item={
                "user": {"S": history.user_id},
                "events": {"L": [{"S": key} for key in history.events]},
                "position": {"S": str(position)},
            },
            ConditionExpression="attribute_not_exists(#position) OR #position < :position",
            ExpressionAttributeNames={"#position": "position"},
            ExpressionAttributeValues={":position": {"S": str(position)}},
        )

    def _put_decision(self, decision: Decision) -> None:
        if decision.breaks:
            raise PlantedBug(f"the sink cannot take {decision.purchase}")
        self._attempts.append(decision)
        self._put(
            TableName="decisions",
            Item={"purchase": {"S": decision.row}, "ordinal": {"N": str(decision.ordinal)}},
            ConditionExpression="attribute_not_exists(purchase)",
        )

    def _put(self, **request: Any) -> None:
        try:
            with translated("DynamoDB"):
                self._dynamodb.put_item(**request)
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise


class HistoryApplication:
    name = "history"

    def __init__(self, attempts: list[Decision], work: Callable[[], None]) -> None:
        self._attempts = attempts
        """Every decision that any process has tried to write."""
        self._work = work

    def open_fold(self, shard_id: str) -> HistoryFold:
        return HistoryFold(self._work)

    def open_sink(self, shard_id: str, clients: Any, settings: Any) -> HistorySink:
        return HistorySink(clients.dynamodb, self._attempts)
