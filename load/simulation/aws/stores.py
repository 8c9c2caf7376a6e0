"""DynamoDB, S3, SQS and SNS in memory, spoken to as boto3 clients are, so that the real code on top of them runs as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar
from zlib import crc32

from botocore.exceptions import ClientError

from clickstream.infra.local.limits.requests import refusal
from clickstream.load.simulation.aws import expressions
from clickstream.load.simulation.aws.expressions import Item, Value
from clickstream.platform import STATE
from clickstream.settings import Settings

T = TypeVar("T")


class _AnyWebhook(Settings, frozen=True):
    def webhook(self, name: str) -> str:
        return f"https://{name}.invalid/"


SETTINGS: Settings = _AnyWebhook(name="simulated")
Keys = Mapping[str, tuple[str, ...]]
"""A table's suffix → its key attributes."""
Tables = dict[str, dict[tuple[str, ...], Item]]
"""Table's suffix → key values → item."""
KEYS: Keys = {
    "shards": ("application", "shard"),
    "aggregates": ("window", "part"),
    "users": ("user",),
    "decisions": ("purchase",),
}
#: A FIFO topic or queue drops a message whose id it had within so long.
FIFO_MEMORY_MS = 5 * 60_000


class NotSimulated(BaseException):
    """A call of AWS that has no counterpart here. Not an Exception: the code that made it may not go on as after a failure."""

    def __init__(self, what: str) -> None:
        super().__init__(what)

    def __str__(self) -> str:
        return f"{self.args[0]} is not simulated"


class Way(Protocol):
    """How a process reaches the stores: ``access.Access``, where calls fail, or :class:`Direct`."""

    def call(self, store: str, operation: str, effect: Callable[[], T], *, writes: bool) -> T: ...

    def now_ms(self) -> int:
        """The stores' own clock."""


class Direct(NamedTuple):
    """Every call succeeds."""

    now_ms: Callable[[], int] = lambda: 0

    def call(self, store: str, operation: str, effect: Callable[[], T], *, writes: bool) -> T:
        return effect()


class SentMessage(NamedTuple):
    """A message that a queue or a topic has taken. ``once``: the id by which FIFO knows a repetition, or empty."""

    to: str
    once: str
    body: str


class Stores:
    """What outlives every process."""

    def __init__(self, keys: Keys = KEYS) -> None:
        self.keys = keys
        self.tables: Tables = {name: {} for name in keys}
        self.objects: dict[str, bytes] = {}
        """The runtime's own: snapshots."""
        self.messages: list[str] = []
        """Dead letters."""
        self.buckets: dict[str, dict[str, bytes]] = {}
        """The application's buckets → key → object."""
        self.metadata: dict[tuple[str, str], dict[str, str]] = {}
        """(bucket, key) → what was put beside an object."""
        self.sent: list[SentMessage] = []
        """What the application has sent, in order."""
        self._known: dict[tuple[str, str], int] = {}

    def keys_of(self, table: str) -> tuple[str, ...]:
        return self.keys[suffix(table)]

    def bucket(self, name: str) -> dict[str, bytes]:
        return self.objects if name == STATE.of(SETTINGS) else self.buckets.setdefault(suffix(name), {})

    def send(self, message: SentMessage, now_ms: int) -> None:
        sent_ms = self._known.get(message[:2])
        if not message.once or sent_ms is None or sent_ms + FIFO_MEMORY_MS <= now_ms:
            self.sent.append(message)
            self._known[message[:2]] = now_ms


def suffix(name: str) -> str:
    return name.removeprefix(f"{SETTINGS.name}-")


class Client:
    """One process's client of one service; what it has no method or no argument for is not simulated."""

    service = ""

    def __init__(self, stores: Stores, access: Way) -> None:
        self._stores = stores
        self._access = access

    def __getattr__(self, operation: str) -> Any:
        if operation.startswith("_"):
            raise AttributeError(operation)
        raise NotSimulated(f"{self.service}.{operation}")

    def _refuse(self, operation: str, others: Mapping[str, Any] | None = None, **parameters: Any) -> None:
        """Raises what AWS answers to a request beyond its limits."""
        if others:
            raise NotSimulated(f"{self.service}: {operation} with {', '.join(others)}")
        refused = refusal(self.service, operation, parameters, self._stores.keys_of)
        if refused is not None:
            raise ClientError({"Error": {"Code": refused.code, "Message": refused.message}}, operation)


class _Refused(ClientError):
    """As botocore raises it where ``client.exceptions`` is asked for it."""


class _ConditionFailed:
    ConditionalCheckFailedException = _Refused


class DynamoDb(Client):
    """Tables are named by their suffixes."""

    service = "dynamodb"
    exceptions = _ConditionFailed

    def get_item(
        self,
        *,
        TableName: str,  # boto3's names, here and below
        Key: Item,
        ConsistentRead: bool = False,
        **others: Any,
    ) -> dict[str, Any]:
        table, key = self._place(TableName, Key)

        def read() -> dict[str, Any]:
            self._refuse("GetItem", others, TableName=TableName, Key=Key)
            return {"Item": dict(table[key])} if key in table else {}

        return self._access.call("dynamodb", "GetItem", read, writes=False)

    def put_item(
        self,
        *,
        TableName: str,
        Item: Item,
        ConditionExpression: str | None = None,
        ExpressionAttributeNames: Mapping[str, str] | None = None,
        ExpressionAttributeValues: Mapping[str, Value] | None = None,
        ReturnValuesOnConditionCheckFailure: str = "NONE",
        **others: Any,
    ) -> dict[str, Any]:
        table, key = self._place(TableName, Item)

        def put() -> dict[str, Any]:
            self._refuse("PutItem", others, TableName=TableName, Item=Item)
            _check(table.get(key), ConditionExpression, ExpressionAttributeNames or {}, ExpressionAttributeValues or {})
            table[key] = dict(Item)
            return {}

        return self._access.call("dynamodb", f"PutItem {key}", put, writes=True)

    def update_item(
        self,
        *,
        TableName: str,
        Key: Item,
        UpdateExpression: str,
        ExpressionAttributeValues: Mapping[str, Value],
        ExpressionAttributeNames: Mapping[str, str] | None = None,
        ConditionExpression: str | None = None,
        ReturnValues: str = "NONE",
        ReturnValuesOnConditionCheckFailure: str = "NONE",
        **others: Any,
    ) -> dict[str, Any]:
        table, key = self._place(TableName, Key)
        names, values = ExpressionAttributeNames or {}, ExpressionAttributeValues

        def change() -> dict[str, Any]:
            self._refuse("UpdateItem", others, TableName=TableName, Key=Key, UpdateExpression=UpdateExpression)
            _check(table.get(key), ConditionExpression, names, values)
            item = table.setdefault(key, dict(Key))
            expressions.update(UpdateExpression, names, item, values)
            return {"Attributes": dict(item)} if ReturnValues == "ALL_NEW" else {}

        return self._access.call("dynamodb", f"UpdateItem {key}", change, writes=True)

    def _place(self, table: str, item: Item) -> tuple[dict[tuple[str, ...], Item], tuple[str, ...]]:
        name = suffix(table)
        if name not in self._stores.keys:
            raise NotSimulated(f"dynamodb: the table {table}, which the application does not declare,")
        return self._stores.tables[name], tuple(str(item[part]["S"]) for part in self._stores.keys[name])


def _check(item: Item | None, condition: str | None, names: Mapping[str, str], values: Mapping[str, Value]) -> None:
    if condition is not None and not expressions.holds(condition, names, item or {}, values):
        refused: Any = {"Error": {"Code": "ConditionalCheckFailedException", "Message": ""}, "Item": dict(item or {})}
        raise _Refused(refused, "UpdateItem")


class _NoSuchKey(ClientError):
    def __init__(self, key: str) -> None:
        super().__init__({"Error": {"Code": "NoSuchKey", "Message": key}}, "GetObject")


class _Errors:
    NoSuchKey = _NoSuchKey


def _etag(body: bytes) -> str:
    return f'"{crc32(body):08x}{len(body):x}"'


class _Body:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self) -> bytes:
        return self._data


class _Listing:
    """Its pages come one by one, and the bucket may change in between."""

    PAGE = 3

    def __init__(self, stores: Stores, access: Way) -> None:
        self._stores = stores
        self._access = access

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:
        last = ""
        while True:

            def page(after: str = last) -> list[str]:
                return sorted(key for key in self._stores.bucket(Bucket) if key.startswith(Prefix) and key > after)

            keys = self._access.call("s3", "ListObjectsV2", page, writes=False)
            yield {"Contents": [{"Key": key} for key in keys[: self.PAGE]]}
            if len(keys) <= self.PAGE:
                return
            last = keys[self.PAGE - 1]


class S3(Client):
    service = "s3"
    exceptions = _Errors

    def stored(self) -> list[str]:
        """The keys of all objects; no call of AWS."""
        return list(self._stores.objects)

    def put_object(
        self,
        *,
        Bucket: str,
        Key: str,
        Body: bytes,
        ContentType: str = "",
        Metadata: Mapping[str, str] | None = None,
        IfMatch: str | None = None,
        IfNoneMatch: str | None = None,
        **others: Any,
    ) -> dict[str, Any]:
        def put() -> dict[str, Any]:
            self._refuse("PutObject", others, Bucket=Bucket, Key=Key)
            there = self._stores.bucket(Bucket).get(Key)
            if (IfNoneMatch and there is not None) or (IfMatch and (there is None or _etag(there) != IfMatch)):
                raise ClientError({"Error": {"Code": "PreconditionFailed", "Message": Key}}, "PutObject")
            self._stores.bucket(Bucket)[Key] = Body
            self._stores.metadata[Bucket, Key] = dict(Metadata or {})
            return {"ETag": _etag(Body)}

        return self._access.call("s3", f"PutObject {Key}", put, writes=True)

    def get_object(self, *, Bucket: str, Key: str, **others: Any) -> dict[str, Any]:
        def read() -> bytes:
            self._refuse("GetObject", others, Bucket=Bucket, Key=Key)
            if Key not in self._stores.bucket(Bucket):
                raise _NoSuchKey(Key)
            return self._stores.bucket(Bucket)[Key]

        body = self._access.call("s3", f"GetObject {Key}", read, writes=False)
        return {"Body": _Body(body), "ETag": _etag(body), "Metadata": self._stores.metadata.get((Bucket, Key), {})}

    def delete_objects(self, *, Bucket: str, Delete: Mapping[str, Any]) -> None:
        def delete() -> None:
            for each in Delete["Objects"]:
                self._stores.bucket(Bucket).pop(each["Key"], None)

        self._access.call("s3", "DeleteObjects", delete, writes=True)

    def delete_object(self, *, Bucket: str, Key: str) -> None:
        self.delete_objects(Bucket=Bucket, Delete={"Objects": [{"Key": Key}]})

    def get_paginator(self, operation: str) -> _Listing:
        assert operation == "list_objects_v2"
        return _Listing(self._stores, self._access)
