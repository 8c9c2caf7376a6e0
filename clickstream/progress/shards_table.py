"""The shards table (DynamoDB): how far an application has come on a shard. All its items are written and read here.

One item per (application, shard). The shard's owner writes it at every commit and heartbeat, on condition that no newer owner
has taken a higher epoch; the launcher counts the deaths of its worker in it. A sort key that begins with "#" is reserved for
what is not a shard: ``#stream`` says which stream the application reads.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar, cast

import msgspec
from botocore.exceptions import ClientError

from clickstream.aws import Clients, items
from clickstream.aws.items import Value
from clickstream.failures.outages import asked, translated
from clickstream.failures.refusals import error_code
from clickstream.platform import SHARDS
from clickstream.progress.completeness import Arrival
from clickstream.settings import Settings

_RESERVED = "#"
_STREAM = "#stream"
_REFUSED = "ConditionalCheckFailedException"
#: An owner says about every second how far it is, on a shard without traffic too. Who has not for so long is silent.
SILENT_MS = 12_000


class ShardProgress(Arrival, frozen=True, kw_only=True):
    """One application on one shard as of its last commit or heartbeat; times in milliseconds since the epoch.

    ``behind_ms`` is None, and the counters are 0, while the first owner has not committed yet. ``latency`` is a base64
    HdrHistogram of put-to-visible-effect milliseconds. ``committed_at`` is the last commit's time, where ``updated_at`` is also
    a heartbeat's. ``breakers``: dependencies that count as down → ``open`` or ``half-open``. ``waiting``: what it is
    not allowed to do, as ``action``, ``resource`` and ``since``; empty when nothing.
    """

    application: str
    shard: str
    position: str | None = None
    owner: str = ""
    ended: bool = False
    events: int = 0
    dead_letters: int = 0
    duplicates: int = 0
    foreign: int = 0
    watermark_ms: int = 0
    arrived_ms: int = 0
    behind_ms: int | None = None
    updated_at: int = 0
    committed_at: int = 0
    latency: str = ""
    breakers: dict[str, str] = msgspec.field(default_factory=dict)
    waiting: dict[str, str | int] = msgspec.field(default_factory=dict)
    deaths: int = 0
    """How often its worker ended by itself since the shard last committed."""
    retired_at: int = 0
    """When its silence was declared to be meant; that holds until an owner says something again."""

    @property
    def retired(self) -> bool:
        return not self.ended and 0 < self.updated_at <= self.retired_at

    @property
    def is_read(self) -> bool:
        """Whether an owner should be there."""
        return not (self.ended or self.retired)

    def silent_ms(self, now_ms: int) -> int:
        """For how long an owner that should be there has said nothing; 0 while it speaks, and before the first has."""
        age_ms = now_ms - self.updated_at
        return age_ms if self.is_read and self.updated_at and age_ms > SILENT_MS else 0

    def lag_ms(self, now_ms: int) -> int | None:
        """Behind the stream's end: what the owner said last, and the silence since. None: not known, or nobody is to read."""
        silent_ms = self.silent_ms(now_ms)
        return (self.behind_ms or 0) + silent_ms if silent_ms else self.behind_ms if self.is_read else None


class ShardItem(ShardProgress, frozen=True, kw_only=True):
    """What the next owner needs as well; ``manifest`` and ``stumble`` are JSON, empty before the first of them."""

    epoch: int = 0
    manifest: str = ""
    stumble: str = ""


_NAMES = {f"#{name}": name for name in ShardProgress.__struct_fields__}


class ShardsTable:
    """Raises RetryLater when DynamoDB does not answer, and Missing without a table; a worker ``waits`` for that as well."""

    def __init__(self, clients: Clients, settings: Settings, *, waits: bool = False) -> None:
        self._dynamodb = clients.dynamodb
        self._table = SHARDS.of(settings)
        self._reading = partial(translated, "DynamoDB") if waits else partial(asked, "DynamoDB", f"table {self._table}")

    # for everybody

    def read(self, application: str | None = None) -> list[ShardProgress]:
        """Every shard that the application, or any application, ever took, in order of both names."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "ConsistentRead": True,
            "ProjectionExpression": ", ".join(_NAMES),
            "ExpressionAttributeNames": _NAMES,
        }
        if application is not None:
            request["KeyConditionExpression"] = "application = :application"
            request["ExpressionAttributeValues"] = {":application": {"S": application}}
        paginator: Any = self._dynamodb.get_paginator("scan" if application is None else "query")
        with self._reading():
            found = [item for page in paginator.paginate(**request) for item in page["Items"]]
        shards = [decode(item, ShardProgress) for item in found if not item["shard"]["S"].startswith(_RESERVED)]
        return sorted(shards, key=lambda shard: (shard.application, shard.shard))

    def get(self, application: str, shard: str) -> ShardItem | None:
        """None when the shard never had an owner."""
        key = items.item(_key(application, shard))
        with self._reading():
            item = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return None if item is None else decode(item, ShardItem)

    # for the shard's owner

    def take(self, application: str, shard: str, *, owner: str, now_ms: int, hash_range: str) -> ShardItem:
        """Raise the epoch, so that every older owner is refused. How far the shard lags is unknown until it is read."""
        change = (
            "ADD epoch :one SET #owner = :owner, updated_at = :now, hash_range = :range REMOVE behind_ms, breakers, waiting"
        )
        values: dict[str, Value] = {"one": 1, "owner": owner, "now": now_ms, "range": hash_range}
        return decode(self._update(application, shard, change, values, ReturnValues="ALL_NEW")["Attributes"], ShardItem)

    def commit(self, application: str, shard: str, epoch: int, values: Mapping[str, Value]) -> ShardItem | None:
        """Set the values, which include ``position`` and ``ended``, all or none.

        Refused under another epoch, after the end, and unless the position moves forward; then returns the item as it stands.
        """
        try:
            self._update(
                application,
                shard,
                "SET " + ", ".join(f"#{name} = :{name}" for name in values) + " REMOVE deaths",
                {"epoch": epoch, "true": True, "false": False, **values},
                "epoch = :epoch AND (attribute_not_exists(#position) OR #position < :position"
                " OR (:ended = :true AND #position = :position)) AND (attribute_not_exists(#ended) OR #ended = :false)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error_code(error) != _REFUSED:
                raise
            stands = cast("dict[str, Any]", error.response.get("Item", {}))
            return decode({**items.item(_key(application, shard)), **stands}, ShardItem)
        return None

    def set(self, application: str, shard: str, epoch: int, values: Mapping[str, Value]) -> bool:
        """Set values without moving the position; False, and nothing is set, when there is a newer owner."""
        change = "SET " + ", ".join(f"{name} = :{name}" for name in values)
        try:
            self._update(application, shard, change, {"epoch": epoch, **values}, "epoch = :epoch")
        except ClientError as error:
            if error_code(error) != _REFUSED:
                raise
            return False
        return True

    def replace_manifest(self, application: str, shard: str, manifest: str) -> None:
        """Of a shard that has ended, whoever owned it."""
        values: dict[str, Value] = {"manifest": manifest, "true": True}
        self._update(application, shard, "SET manifest = :manifest", values, "ended = :true")

    # for whoever starts and ends workers

    def retire(self, application: str, now_ms: int) -> int:
        """Declare that nobody is to read for the application; returns on how many shards somebody was to."""
        shards = [each for each in self.read(application) if each.is_read]
        for each in shards:
            self._update(application, each.shard, "SET retired_at = :now", {"now": max(now_ms, each.updated_at)})
        return len(shards)

    def count_death(self, application: str, shard: str, *, anew: bool) -> int:
        """Count one death of the shard's worker, ``anew``: without those before; returns how many since the last commit."""
        change = "SET deaths = :one" if anew else "ADD deaths :one"
        answer = self._update(application, shard, change, {"one": 1}, ReturnValues="UPDATED_NEW")
        return int(answer["Attributes"]["deaths"]["N"])

    def stream_of(self, application: str, created_ms: int) -> int:
        """When the stream was created that the application reads: this one, if it has never read another."""
        change = "SET created_at = if_not_exists(created_at, :created)"
        answer = self._update(application, _STREAM, change, {"created": created_ms}, ReturnValues="ALL_NEW")
        return int(answer["Attributes"]["created_at"]["N"])

    def delete(self, application: str) -> int:
        """Delete the application's items, its stream's last; returns how many shards it knew."""
        shards = self.read(application)
        with translated("DynamoDB"):
            for name in [*(each.shard for each in shards), _STREAM]:
                self._dynamodb.delete_item(TableName=self._table, Key=items.item(_key(application, name)))
        return len(shards)

    def _update(
        self, application: str, shard: str, change: str, values: Mapping[str, Value], condition: str = "", **returns: str
    ) -> dict[str, Any]:
        request = items.update(self._table, _key(application, shard), change, values, condition)
        with translated("DynamoDB"):
            answer: dict[str, Any] = self._dynamodb.update_item(**request, **returns)  # type: ignore[assignment, arg-type]
        return answer


Read = TypeVar("Read", bound=ShardProgress)


def decode(item: Mapping[str, Any], kind: type[Read]) -> Read:
    """An item as DynamoDB returns it. Pure."""
    return msgspec.convert({name: items.plain(item[name]) for name in kind.__struct_fields__ if name in item}, kind)


def _key(application: str, shard: str) -> dict[str, str]:
    return {"application": application, "shard": shard}
