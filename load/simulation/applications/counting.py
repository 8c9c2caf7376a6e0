"""The smallest application that can go wrong: it counts events per user and sums an order-sensitive digest per user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from clickstream.application import Inheritance
from clickstream.aws import Clients
from clickstream.events import AnyEvent
from clickstream.load.simulation.aws.memory import MemoryRows
from clickstream.records.position import Position
from clickstream.records.routing import hash_key
from clickstream.settings import Settings


class Tally(msgspec.Struct, array_like=True):
    """Per user: how many events, and a digest that any loss, repetition or swap changes."""

    count: int = 0
    digest: int = 0


class CountingFold:
    def __init__(self) -> None:
        self.users: dict[str, Tally] = {}
        self._dirty_state: set[str] = set()
        self._dirty_rows: set[str] = set()

    def apply(self, events: Sequence[AnyEvent]) -> None:
        for event in events:
            tally = self.users.setdefault(event.user_id, Tally())
            tally.count += 1
            tally.digest = digest(tally.digest, event.event_id)
            self._dirty_state.add(event.user_id)
            self._dirty_rows.add(event.user_id)

    def effects(self, *, flush: bool) -> Sequence[Any]:
        rows = [(user, self.users[user].count, self.users[user].digest) for user in sorted(self._dirty_rows)]
        self._dirty_rows.clear()
        return rows

    def changes(self) -> bytes:
        changed = {user: self.users[user] for user in self._dirty_state}
        self._dirty_state.clear()
        return msgspec.msgpack.encode(changed)

    def snapshot(self) -> bytes:
        self._dirty_state.clear()
        return msgspec.msgpack.encode(self.users)

    def restore(self, state: bytes, inheritance: Inheritance | None) -> None:
        for user, tally in msgspec.msgpack.decode(state, type=dict[str, Tally]).items():
            if inheritance is None or hash_key(user) in inheritance.keys:
                self.users[user] = tally


def digest(before: int, event_id: str) -> int:
    """A rolling digest in which order matters."""
    for byte in event_id.encode():
        before = (before * 1_000_003 + byte + 1) % (2**61 - 1)
    return before


class CountingSink:
    """Rows per user: a user's state moves with its shard, so the row of the child simply has the greater position."""

    def __init__(self, rows: MemoryRows) -> None:
        self._rows = rows

    def write(self, effects: Sequence[Any], position: Position) -> None:
        for user, count, value in effects:
            self._rows.put(user, (count, value), position)


class CountingApplication:
    name = "counting"

    def __init__(self, rows: MemoryRows) -> None:
        self._rows = rows

    def open_fold(self, shard_id: str) -> CountingFold:
        return CountingFold()

    def open_sink(self, shard_id: str, clients: Clients, settings: Settings) -> CountingSink:
        return CountingSink(self._rows)
