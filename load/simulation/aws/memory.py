"""Stores in memory with the semantics of the real ones; the store passes the same suite as the real one (tests/contract)."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from clickstream.consumers.runtime.faults.dead_letters import DeadLetter
from clickstream.consumers.runtime.faults.stumbling import Stumble
from clickstream.consumers.runtime.state.chain import Manifest, StoredObject
from clickstream.consumers.runtime.state.snapshots import Commit, Lease, Progress
from clickstream.errors import Fenced, RetryLater, Stop
from clickstream.progress.completeness import Arrival
from clickstream.records.position import Position


class ShardItem(msgspec.Struct, kw_only=True):
    """One shard's item, as DynamoDB would hold it."""

    epoch: int = 0
    owner: str = ""
    position: Position | None = None
    manifest: Manifest = Manifest()
    ended: bool = False
    progress: Progress = Progress()
    behind_ms: int = 0
    arrival: Arrival = Arrival()
    updated_at: int = 0
    stumble: Stumble | None = None


class MemoryStore:
    """Snapshots for one application, shared by all of its workers: hand out one :class:`MemoryStore` per owner."""

    def __init__(self, owner: str, items: dict[str, ShardItem] | None = None, objects: dict[str, bytes] | None = None) -> None:
        self._owner = owner
        self.items: dict[str, ShardItem] = {} if items is None else items
        self.objects: dict[str, bytes] = {} if objects is None else objects
        self.down = False

    def of(self, owner: str) -> MemoryStore:
        """The same stores, seen by another owner."""
        return MemoryStore(owner, self.items, self.objects)

    def take(self, shard_id: str, now_ms: int, hash_range: str = "") -> Lease:
        self._answer()
        item = self.items.setdefault(shard_id, ShardItem())
        item.epoch += 1
        item.owner, item.updated_at = self._owner, now_ms
        named = {link.key for link in item.manifest.chain}
        for key in [key for key in self.objects if key.startswith(f"{shard_id}/") and key not in named]:
            del self.objects[key]
        return self._lease(shard_id)

    def look(self, shard_id: str) -> Lease | None:
        self._answer()
        return self._lease(shard_id) if shard_id in self.items else None

    def read(self, lease: Lease) -> list[bytes]:
        self._answer()
        for link in lease.manifest.chain:
            if link.key not in self.objects:
                raise Stop(f"snapshot object {link.key} is missing")
        return [self.objects[link.key] for link in lease.manifest.chain]

    def commit(self, lease: Lease, commit: Commit, now_ms: int) -> None:
        self._answer()
        kind = "full" if commit.full else "changes"
        key = f"{lease.shard_id}/{lease.epoch}-{commit.position}{'-end' if commit.ended else ''}.{kind}"
        self.objects[key] = commit.state
        link = StoredObject(key=key, size=len(commit.state), sha256=hashlib.sha256(commit.state).hexdigest())
        item = self.items[lease.shard_id]
        moves = item.position is None or item.position < commit.position
        ends = commit.ended and item.position == commit.position
        if item.epoch != lease.epoch or item.ended or not (moves or ends):
            raise Fenced(f"{lease.shard_id}: epoch {lease.epoch} may not commit; the store has epoch {item.epoch}")
        old = item.manifest.chain
        item.manifest = Manifest(chain=(link,) if commit.full else (*old, link))
        item.position, item.ended, item.progress = commit.position, commit.ended, commit.progress
        item.behind_ms, item.arrival, item.updated_at = commit.behind_ms, commit.arrival, now_ms
        item.stumble = commit.stumble
        lease.position, lease.manifest, lease.ended = item.position, item.manifest, item.ended
        if commit.full:
            for obsolete in old:
                self.objects.pop(obsolete.key, None)

    def forget(self, shard_id: str) -> None:
        self._answer()
        assert self.items[shard_id].ended
        for key in [key for key in self.objects if key.startswith(f"{shard_id}/")]:
            del self.objects[key]
        self.items[shard_id].manifest = Manifest()

    def heartbeat(self, lease: Lease, behind_ms: int, arrival: Arrival, now_ms: int) -> None:
        self._answer()
        item = self.items[lease.shard_id]
        if item.epoch != lease.epoch:
            raise Fenced(f"{lease.shard_id}: epoch {lease.epoch} is no longer the owner's")
        item.behind_ms, item.arrival, item.updated_at = behind_ms, arrival, now_ms

    def stumbled(self, lease: Lease, stumble: Stumble) -> None:
        self._answer()
        if self.items[lease.shard_id].epoch == lease.epoch:
            self.items[lease.shard_id].stumble = stumble

    def _answer(self) -> None:
        if self.down:
            raise RetryLater("memory store: switched off")

    def _lease(self, shard_id: str) -> Lease:
        item = copy.deepcopy(self.items[shard_id])
        return Lease(
            shard_id=shard_id,
            epoch=item.epoch,
            position=item.position,
            manifest=item.manifest,
            ended=item.ended,
            arrival=item.arrival,
            stumble=item.stumble,
        )


class MemoryDeadLetters:
    """A queue that keeps every message, repeated ones too."""

    def __init__(self) -> None:
        self.letters: list[DeadLetter] = []
        self.down = False

    def send(self, letters: Sequence[DeadLetter]) -> None:
        if self.down:
            raise RetryLater("memory queue: switched off")
        self.letters += letters


class MemoryRows:
    """Rows with a position guard, shared by all writers: what a sink may do to its table."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[Position, Any]] = {}
        self.down = False

    def put(self, key: str, value: object, position: Position) -> None:
        if self.down:
            raise RetryLater("memory rows: switched off")
        stored = self.rows.get(key)
        if stored is None or stored[0] < position:
            self.rows[key] = (position, value)
