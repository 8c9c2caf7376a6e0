"""State and position as one commit: objects on S3, bound together by one conditional write in DynamoDB.

A shard's state is a chain: one full snapshot and the changes since, each an immutable object. The *manifest* names the chain;
it stands in the shard's item beside the position and the epoch, and the three change together or not at all. A worker takes
an epoch when it gets the lease; a commit with an older epoch is refused (a zombie), and so is one that would move the position
back. What a crash leaves on S3 without a manifest naming it is swept at the next take.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

import msgspec
from botocore.exceptions import ClientError
from isal import isal_zlib

from clickstream.aws import Clients
from clickstream.completeness import Arrival
from clickstream.errors import Fenced, Stop
from clickstream.platform import SHARDS, STATE
from clickstream.refusals import error_code
from clickstream.settings import Settings
from consumers.runtime.faults.outages import translated
from consumers.runtime.faults.stumbling import Stumble
from consumers.runtime.position import Position

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

#: A chain longer than this, or heavier than twice its full snapshot, is replaced by a new full snapshot.
LONGEST_CHAIN = 64
_READERS = 8
_COMPRESSION = 1  # of 0 to 3; smaller than zlib's own 1, in a quarter of the time (docs/reference/benchmarks.md, overhead)


class StoredObject(msgspec.Struct, frozen=True):
    """One link of the chain. ``size``: bytes as stored (compressed); ``sha256``: hex of those bytes."""

    key: str
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """The chain: a full snapshot first, then the changes in order."""

    chain: tuple[StoredObject, ...] = ()

    @property
    def wants_full(self) -> bool:
        """True when the next commit should carry the whole state instead of its changes."""
        return (
            not self.chain
            or len(self.chain) > LONGEST_CHAIN
            or sum(link.size for link in self.chain[1:]) > 2 * self.chain[0].size + 65_536
        )


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
    """The bug that the next owner still has to beware of; see :mod:`consumers.runtime.faults.stumbling`."""


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


class SnapshotStore:
    """One application's snapshots. Raises RetryLater when a store does not answer, Fenced when a newer owner is there."""

    def __init__(
        self,
        application: str,
        owner: str,
        clients: Clients,
        settings: Settings,
        *,
        readers: Callable[[], Executor] = lambda: ThreadPoolExecutor(_READERS, thread_name_prefix="snapshots"),
    ) -> None:
        self._application = application
        self._owner = owner
        self._readers = readers
        self._dynamodb = clients.dynamodb
        self._s3 = clients.s3
        self._table = SHARDS.of(settings)
        self._bucket = STATE.of(settings)
        self._taken: Lease | None = None

    def take(self, shard_id: str, now_ms: int, hash_range: str = "") -> Lease:
        """Become the owner: every older epoch is refused from now on. How far the shard lags is unknown until it is read."""
        with translated("DynamoDB"):
            item = self._dynamodb.update_item(
                TableName=self._table,
                Key=self._key(shard_id),
                UpdateExpression="ADD epoch :one SET #owner = :owner, updated_at = :now, hash_range = :range"
                " REMOVE behind_ms, breakers, waiting",
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues={
                    ":one": {"N": "1"},
                    ":owner": {"S": self._owner},
                    ":now": {"N": str(now_ms)},
                    ":range": {"S": hash_range},
                },
                ReturnValues="ALL_NEW",
            )["Attributes"]
        lease = _lease(shard_id, item)
        self._sweep(lease)
        self._taken = lease
        return lease

    def look(self, shard_id: str) -> Lease | None:
        """The shard's last commit, without becoming its owner; None when it never had an owner."""
        with translated("DynamoDB"):
            item = self._dynamodb.get_item(TableName=self._table, Key=self._key(shard_id), ConsistentRead=True).get("Item")
        return None if item is None else _lease(shard_id, item)

    def read(self, lease: Lease) -> list[bytes]:
        """The chain's contents, oldest first. A missing or altered object raises Stop: guessing would be wrong answers."""
        # side by side: a chain of 65 objects one after the other would be most of a shard's recovery
        with self._readers() as readers:
            return list(readers.map(self._get, lease.manifest.chain))

    def commit(self, lease: Lease, commit: Commit, now_ms: int) -> None:
        """Make (state, position, progress) durable in one step, then drop what the new chain no longer names."""
        old = lease.manifest.chain
        link = self._put(lease, commit)
        manifest = Manifest(chain=(link,) if commit.full else (*old, link))
        values: dict[str, AttributeValueTypeDef] = {
            "position": {"S": str(commit.position)},
            "manifest": {"S": _json(manifest)},
            "ended": {"BOOL": commit.ended},
            "behind_ms": {"N": str(commit.behind_ms)},
            "latency": {"S": commit.latency},
            "stumble": {"S": "" if commit.stumble is None else _json(commit.stumble)},
            "updated_at": {"N": str(now_ms)},
            "committed_at": {"N": str(now_ms)},
            **_told(commit.arrival),
            **{name: {"N": str(value)} for name, value in msgspec.structs.asdict(commit.progress).items()},
        }
        try:
            with translated("DynamoDB"):
                self._dynamodb.update_item(
                    TableName=self._table,
                    Key=self._key(lease.shard_id),
                    UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values) + " REMOVE deaths",
                    ConditionExpression="epoch = :epoch AND (attribute_not_exists(#position) OR #position < :position"
                    " OR (:ended = :true AND #position = :position)) AND (attribute_not_exists(#ended) OR #ended = :false)",
                    # aliases for all: DynamoDB reserves many plain words
                    ExpressionAttributeNames={f"#{name}": name for name in values},
                    ExpressionAttributeValues={
                        ":epoch": {"N": str(lease.epoch)},
                        ":true": {"BOOL": True},
                        ":false": {"BOOL": False},
                        **{f":{name}": value for name, value in values.items()},
                    },
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            stored = _lease(lease.shard_id, cast("dict[str, Any]", error.response.get("Item", {})))
            if (stored.epoch, stored.position, stored.manifest) != (lease.epoch, commit.position, manifest):
                raise Fenced(
                    f"{lease.shard_id}: epoch {lease.epoch} may not commit; the store has epoch {stored.epoch}"
                ) from error
            # the first try had arrived and only its answer was lost
        lease.position, lease.manifest, lease.ended = commit.position, manifest, commit.ended
        if commit.full:
            # when this is a repetition (the deletion went unanswered), the old chain is the new one already
            self._delete([obsolete.key for obsolete in old if obsolete not in manifest.chain])

    def forget(self, shard_id: str) -> None:
        """Delete the snapshots of a shard that has ended; its position stays. Only once none of its children needs them."""
        with translated("DynamoDB"):
            self._dynamodb.update_item(
                TableName=self._table,
                Key=self._key(shard_id),
                UpdateExpression="SET manifest = :empty",
                ConditionExpression="ended = :true",
                ExpressionAttributeValues={":empty": {"S": _json(Manifest())}, ":true": {"BOOL": True}},
            )
        with translated("S3"):
            self._delete(self._keys(shard_id))

    def heartbeat(self, lease: Lease, behind_ms: int, arrival: Arrival, now_ms: int) -> None:
        """Tell that the shard is alive and how far it has come, without moving its position."""
        if not self._if_owner(lease, behind_ms={"N": str(behind_ms)}, updated_at={"N": str(now_ms)}, **_told(arrival)):
            raise Fenced(f"{lease.shard_id}: epoch {lease.epoch} is no longer the owner's")

    def stumbled(self, lease: Lease, stumble: Stumble) -> None:
        """Remember the bug that ends this process, for the next owner; nothing when that one is there already."""
        self._if_owner(lease, stumble={"S": _json(stumble)})

    def tell_trouble(self, breakers: Mapping[str, str], waiting: Mapping[str, str | int]) -> None:
        """Show in the item of the shard taken last which dependencies are down (``breakers``: dependency → state), and what it
        may not do (``waiting``: action, resource, since).

        Safe from another thread than the shard loop's. Nothing happens before a shard is taken or after it was lost.
        """
        if self._taken is not None:
            self._if_owner(
                self._taken,
                breakers={"M": {dependency: {"S": state} for dependency, state in breakers.items()}},
                waiting={"M": {name: {"N" if isinstance(value, int) else "S": str(value)} for name, value in waiting.items()}},
            )

    def _if_owner(self, lease: Lease, **values: Any) -> bool:
        """Set attributes of the shard's item; False, and nothing is set, when there is a newer owner."""
        try:
            with translated("DynamoDB"):
                self._dynamodb.update_item(
                    TableName=self._table,
                    Key=self._key(lease.shard_id),
                    UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in values),
                    ConditionExpression="epoch = :epoch",
                    ExpressionAttributeValues={
                        ":epoch": {"N": str(lease.epoch)},
                        **{f":{name}": value for name, value in values.items()},
                    },
                )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def _key(self, shard_id: str) -> dict[str, AttributeValueTypeDef]:
        return {"application": {"S": self._application}, "shard": {"S": shard_id}}

    def _prefix(self, shard_id: str) -> str:
        return f"{self._application}/{shard_id}/"

    def _put(self, lease: Lease, commit: Commit) -> StoredObject:
        body = isal_zlib.compress(commit.state, _COMPRESSION)
        # the epoch in the key: a zombie can only write objects that no manifest of the owner names
        kind = "full" if commit.full else "changes"
        key = f"{self._prefix(lease.shard_id)}{lease.epoch:010d}-{commit.position}{'-end' if commit.ended else ''}.{kind}"
        with translated("S3"):
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=body)
        return StoredObject(key=key, size=len(body), sha256=hashlib.sha256(body).hexdigest())

    def _get(self, link: StoredObject) -> bytes:
        try:
            with translated("S3"):
                body = self._s3.get_object(Bucket=self._bucket, Key=link.key)["Body"].read()
        except self._s3.exceptions.NoSuchKey as error:
            raise Stop(f"snapshot object {link.key} is missing") from error
        if hashlib.sha256(body).hexdigest() != link.sha256:
            raise Stop(f"snapshot object {link.key} was altered: its checksum differs from the manifest's")
        return isal_zlib.decompress(body)

    def _sweep(self, lease: Lease) -> None:
        """Delete what earlier owners left behind without committing it.

        A newer owner may have come meanwhile: what it has written is not in our manifest, and none of our business.
        """
        named = {link.key for link in lease.manifest.chain}
        ours = f"{self._prefix(lease.shard_id)}{lease.epoch:010d}"
        with translated("S3"):
            self._delete([key for key in self._keys(lease.shard_id) if key < ours and key not in named])

    def _keys(self, shard_id: str) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix(shard_id))
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def _delete(self, keys: list[str]) -> None:
        for start in range(0, len(keys), 1000):
            with translated("S3"):
                self._s3.delete_objects(
                    Bucket=self._bucket,
                    Delete={"Objects": [{"Key": key} for key in keys[start : start + 1000]], "Quiet": True},
                )


def _lease(shard_id: str, item: dict[str, Any]) -> Lease:
    position, manifest, stumble = item.get("position"), item.get("manifest"), item.get("stumble", {"S": ""})["S"]
    return Lease(
        shard_id=shard_id,
        epoch=_number(item, "epoch"),
        position=Position.parse(position["S"]) if position else None,
        manifest=msgspec.json.decode(manifest["S"], type=Manifest) if manifest else Manifest(),
        ended=item.get("ended", {"BOOL": False})["BOOL"],
        arrival=Arrival(arrived_to=_number(item, "arrived_to"), whole_to=_number(item, "whole_to")),
        stumble=msgspec.json.decode(stumble, type=Stumble) if stumble else None,
    )


def _number(item: dict[str, Any], name: str) -> int:
    return int(item.get(name, {"N": "0"})["N"])


def _told(arrival: Arrival) -> dict[str, AttributeValueTypeDef]:
    fields = msgspec.structs.asdict(arrival).items()
    return {name: {"N": str(value)} if isinstance(value, int) else {"S": value} for name, value in fields}


def _json(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()
