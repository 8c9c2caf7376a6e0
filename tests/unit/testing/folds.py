"""Applications at full level, written by hand: per user a count of events and the first product, and per hour a count; and
the same with one thing wrong in each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from clickstream.application import Inheritance, Wiring
from clickstream.aws import Clients
from clickstream.events import AnyEvent
from clickstream.failures.outages import translated
from clickstream.failures.refusals import error_code
from clickstream.needs import Needs, Table
from clickstream.records.position import Position, guarded_put
from clickstream.records.routing import hash_key
from clickstream.settings import Settings

USERS = Table("tally-users", key="user")
HOURS = Table("tally-hours", key="hour", range_key="shard")
NEEDS = Needs(name="tally", wiring=__name__, tables=(USERS, HOURS))
HOUR_MS = 3_600_000


class Tally(msgspec.Struct):
    events: int = 0
    first: str = ""


class State(msgspec.Struct):
    users: dict[str, Tally] = {}
    hours: dict[int, int] = {}


class TallyFold:
    """The right one."""

    def __init__(self, shard_id: str) -> None:
        self.shard_id = shard_id
        self.state = State()
        self.users: dict[str, None] = {}
        self.hours: dict[int, None] = {}
        self._changed = State()

    def apply(self, events: Sequence[AnyEvent]) -> None:
        for event in events:
            self.fold(event)

    def fold(self, event: AnyEvent) -> None:
        tally = self.state.users.setdefault(event.user_id, Tally())
        tally.events += 1
        tally.first = tally.first or str(getattr(event, "product_id", ""))
        hour = event.occurred_at // HOUR_MS
        self.state.hours[hour] = self.state.hours.get(hour, 0) + 1
        self.touch(event.user_id, hour)

    def touch(self, user: str, hour: int) -> None:
        self.users[user] = self.hours[hour] = None
        self._changed.users[user] = self.state.users[user]
        self._changed.hours[hour] = self.state.hours[hour]

    def effects(self, *, flush: bool) -> Sequence[Any]:
        rows: list[Any] = [
            (USERS, {"user": {"S": user}, "tally": {"S": msgspec.json.encode(self.state.users[user]).decode()}})
            for user in self.users
        ]
        rows += [
            (HOURS, {"hour": {"S": str(hour)}, "shard": {"S": self.shard_id}, "events": {"N": str(self.state.hours[hour])}})
            for hour in self.hours
        ]
        self.users, self.hours = {}, {}
        return rows

    def changes(self) -> bytes:
        changed, self._changed = self._changed, State()
        return msgspec.msgpack.encode(changed)

    def snapshot(self) -> bytes:
        self._changed = State()
        return msgspec.msgpack.encode(self.state)

    def restore(self, state: bytes, inheritance: Inheritance | None) -> None:
        stored = msgspec.msgpack.decode(state, type=State)
        if inheritance is None:
            self.state.hours |= stored.hours
        self.state.users |= {user: tally for user, tally in stored.users.items() if self.mine(user, inheritance)}

    def mine(self, user: str, inheritance: Inheritance | None) -> bool:
        return inheritance is None or hash_key(user) in inheritance.keys


class GuardedRows:
    def __init__(self, clients: Clients, settings: Settings) -> None:
        self._dynamodb = clients.dynamodb
        self._settings = settings

    def write(self, effects: Sequence[Any], position: Position) -> None:
        for table, row in effects:
            try:
                with translated("DynamoDB"):
                    self._dynamodb.put_item(**guarded_put(table.of(self._settings), row, position))
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise


class AddingRows(GuardedRows):
    """Adds what it is given to what is there."""

    def write(self, effects: Sequence[Any], position: Position) -> None:
        for user, count in effects:
            with translated("DynamoDB"):
                self._dynamodb.update_item(
                    TableName=USERS.of(self._settings),
                    Key={"user": {"S": user}},
                    UpdateExpression="ADD events :more",
                    ExpressionAttributeValues={":more": {"N": str(count)}},
                )


def tally(fold: type[TallyFold], sink: type[GuardedRows] = GuardedRows) -> Wiring:
    return Wiring("tally", fold, lambda _, clients, settings: sink(clients, settings))


class TimeOfDay(TallyFold):
    """The hour is the clock's, not the event's."""

    def fold(self, event: AnyEvent) -> None:
        super().fold(msgspec.structs.replace(event, occurred_at=int(time.time() * 1000)))


class SetOrder(TallyFold):
    """The first product is the first of a set."""

    def fold(self, event: AnyEvent) -> None:
        super().fold(event)
        mine = self.state.users[event.user_id]
        mine.first = next(iter({*mine.first.split(), event.event_id, event.session_id}))


class StatePerBatch(TallyFold):
    """A user counts once in each batch."""

    def apply(self, events: Sequence[AnyEvent]) -> None:
        super().apply(list({event.user_id: event for event in events}.values()))


class RelativeEffects(TallyFold):
    """What came since the last call, for a sink that adds it up."""

    def __init__(self, shard_id: str) -> None:
        super().__init__(shard_id)
        self._since: dict[str, int] = {}

    def fold(self, event: AnyEvent) -> None:
        super().fold(event)
        self._since[event.user_id] = self._since.get(event.user_id, 0) + 1

    def effects(self, *, flush: bool) -> Sequence[Any]:
        since, self._since = self._since, {}
        return list(since.items())


class LostAtASplit(TallyFold):
    """The range is compared with the user's name, not with its hash."""

    def mine(self, user: str, inheritance: Inheritance | None) -> bool:
        return inheritance is None or user.encode() in inheritance.keys


APPLICATION = tally(TallyFold)
TIME_OF_DAY = tally(TimeOfDay)
SET_ORDER = tally(SetOrder)
STATE_PER_BATCH = tally(StatePerBatch)
RELATIVE_EFFECTS = tally(RelativeEffects, AddingRows)
LOST_AT_A_SPLIT = tally(LostAtASplit)
