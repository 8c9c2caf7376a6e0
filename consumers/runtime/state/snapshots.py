"""State and position as one commit: objects on S3, bound together by one conditional write in DynamoDB.

The *manifest* names the objects of a shard's chain (:mod:`consumers.runtime.state.chain`); it stands in the shard's item beside
the position and the epoch, and the three change together or not at all. A worker takes an epoch when it gets the lease; a
commit with an older epoch is refused (a zombie), and so is one that would move the position back. Objects that a crash leaves
on S3 without a manifest that names them are swept at the next take.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Protocol

import msgspec

from clickstream.aws import Clients
from clickstream.aws.items import Value
from clickstream.consumers.runtime.faults.stumbling import Stumble
from clickstream.consumers.runtime.state.chain import ChainObjects, Manifest, reading_threads
from clickstream.errors import Fenced
from clickstream.platform import STATE
from clickstream.progress.completeness import Arrival
from clickstream.progress.shards_table import ShardItem, ShardsTable
from clickstream.records.position import Position
from clickstream.settings import Settings


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What people and other programs want to know of a shard; as of its position, so it replays to the same values."""

    events: int = 0
    dead_letters: int = 0
    duplicates: int = 0
    foreign: int = 0
    watermark_ms: int = 0
    arrived_ms: int = 0


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that changes together. ``state`` is the whole state if ``full``, else the changes since the last commit."""

    position: Position
    state: bytes
    full: bool
    progress: Progress
    behind_ms: int = 0
    arrival: Arrival = Arrival()
    latency: str = ""
    ended: bool = False
    stumble: Stumble | None = None
    """The bug that the next owner still has to beware of; see :mod:`clickstream.consumers.runtime.faults.stumbling`."""


class Lease(msgspec.Struct, kw_only=True):
    """A shard as this process owns it: the epoch never changes, the rest is the last committed state."""

    shard_id: str
    epoch: int
    position: Position | None = None
    manifest: Manifest = Manifest()
    ended: bool = False
    arrival: Arrival = Arrival()
    stumble: Stumble | None = None
    """As of the take."""


class Store(Protocol):
    """Where snapshots go; see :class:`SnapshotStore`."""

    def take(self, shard_id: str, now_ms: int, hash_range: str = "") -> Lease: ...
    def look(self, shard_id: str) -> Lease | None: ...
    def forget(self, shard_id: str) -> None: ...
    def read(self, lease: Lease) -> list[bytes]: ...
    def commit(self, lease: Lease, commit: Commit, now_ms: int) -> None: ...
    def heartbeat(self, lease: Lease, behind_ms: int, arrival: Arrival, now_ms: int) -> None: ...
    def stumbled(self, lease: Lease, stumble: Stumble) -> None: ...


class SnapshotStore:
    """One application's snapshots. Raises RetryLater when a store does not answer, Fenced when a newer owner is there."""

    def __init__(
        self,
        application: str,
        owner: str,
        clients: Clients,
        settings: Settings,
        *,
        readers: Callable[[], Executor] = reading_threads,
    ) -> None:
        self._application = application
        self._owner = owner
        self._table = ShardsTable(clients, settings, waits=True)
        self._objects = ChainObjects(clients, STATE.of(settings), readers)
        self._taken: Lease | None = None

    def take(self, shard_id: str, now_ms: int, hash_range: str = "") -> Lease:
        """Become the owner: every older epoch is refused from now on."""
        lease = _lease(self._table.take(self._application, shard_id, owner=self._owner, now_ms=now_ms, hash_range=hash_range))
        self._sweep(lease)
        self._taken = lease
        return lease

    def look(self, shard_id: str) -> Lease | None:
        """The shard's last commit, without becoming its owner; None when it never had an owner."""
        item = self._table.get(self._application, shard_id)
        return None if item is None else _lease(item)

    def read(self, lease: Lease) -> list[bytes]:
        """The contents of the lease's chain, oldest first. Raises Stop when an object is missing or was altered."""
        return self._objects.read(lease.manifest)

    def commit(self, lease: Lease, commit: Commit, now_ms: int) -> None:
        """Make (state, position, progress) durable in one step, then drop what the new chain no longer names."""
        old = lease.manifest.chain
        # the epoch in the key: a zombie can only write objects that no manifest of the owner names
        kind = ("-end" if commit.ended else "") + (".full" if commit.full else ".changes")
        link = self._objects.put(f"{self._own(lease)}-{commit.position}{kind}", commit.state)
        manifest = Manifest(chain=(link,) if commit.full else (*old, link))
        values: dict[str, Value] = {
            "position": str(commit.position),
            "manifest": _json(manifest),
            "ended": commit.ended,
            "behind_ms": commit.behind_ms,
            "latency": commit.latency,
            "stumble": "" if commit.stumble is None else _json(commit.stumble),
            "updated_at": now_ms,
            "committed_at": now_ms,
            **msgspec.structs.asdict(commit.arrival),
            **msgspec.structs.asdict(commit.progress),
        }
        stands = self._table.commit(self._application, lease.shard_id, lease.epoch, values)
        # an item that stands as we have written it: the first try had arrived, and only its answer was lost
        if stands is not None and (stands.epoch, stands.position, _manifest(stands)) != (
            lease.epoch,
            str(commit.position),
            manifest,
        ):
            raise Fenced(f"{lease.shard_id}: epoch {lease.epoch} may not commit; the store has epoch {stands.epoch}")
        lease.position, lease.manifest, lease.ended = commit.position, manifest, commit.ended
        if commit.full:
            # when this is a repetition (the deletion went unanswered), the old chain is the new one already
            self._objects.delete(obsolete.key for obsolete in old if obsolete not in manifest.chain)

    def forget(self, shard_id: str) -> None:
        """Delete the snapshots of a shard that has ended; its position stays. Only once none of its children needs them."""
        self._table.replace_manifest(self._application, shard_id, _json(Manifest()))
        self._objects.delete(self._objects.keys(self._prefix(shard_id)))

    def heartbeat(self, lease: Lease, behind_ms: int, arrival: Arrival, now_ms: int) -> None:
        """Report that the shard is alive and how far it has come, without moving its position."""
        values = {"behind_ms": behind_ms, "updated_at": now_ms, **msgspec.structs.asdict(arrival)}
        if not self._table.set(self._application, lease.shard_id, lease.epoch, values):
            raise Fenced(f"{lease.shard_id}: epoch {lease.epoch} is no longer the owner's")

    def stumbled(self, lease: Lease, stumble: Stumble) -> None:
        """Remember the bug that ends this process, for the next owner; nothing when that one is there already."""
        self._table.set(self._application, lease.shard_id, lease.epoch, {"stumble": _json(stumble)})

    def tell_trouble(self, breakers: Mapping[str, str], waiting: Mapping[str, str | int]) -> None:
        """Show in the item of the shard taken last which dependencies are down (``breakers``: dependency → state), and what it
        may not do (``waiting``: action, resource, since).

        Safe from another thread than the shard loop's. Nothing happens before a shard is taken or after it was lost.
        """
        if (lease := self._taken) is not None:
            trouble: dict[str, Value] = {"breakers": breakers, "waiting": waiting}
            self._table.set(self._application, lease.shard_id, lease.epoch, trouble)

    def _sweep(self, lease: Lease) -> None:
        """Delete what earlier owners left behind without committing it.

        A newer owner may have come meanwhile: what it has written is not in our manifest, and none of our business.
        """
        named, own = {link.key for link in lease.manifest.chain}, self._own(lease)
        every = self._objects.keys(self._prefix(lease.shard_id))
        self._objects.delete(key for key in every if key < own and key not in named)

    def _prefix(self, shard_id: str) -> str:
        return f"{self._application}/{shard_id}/"

    def _own(self, lease: Lease) -> str:
        """What the keys of this owner's objects begin with; those of all older owners sort before it."""
        return f"{self._prefix(lease.shard_id)}{lease.epoch:010d}"


def _lease(item: ShardItem) -> Lease:
    return Lease(
        shard_id=item.shard,
        epoch=item.epoch,
        position=Position.parse(item.position) if item.position else None,
        manifest=_manifest(item),
        ended=item.ended,
        arrival=Arrival(arrived_to=item.arrived_to, whole_to=item.whole_to),
        stumble=msgspec.json.decode(item.stumble, type=Stumble) if item.stumble else None,
    )


def _manifest(item: ShardItem) -> Manifest:
    return msgspec.json.decode(item.manifest, type=Manifest) if item.manifest else Manifest()


def _json(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()
