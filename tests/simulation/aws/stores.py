"""DynamoDB, S3 and SQS in memory, spoken to as boto3 clients are, so that the real code on top of them runs as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from clickstream.infra.local.limits.requests import refusal
from tests.simulation.aws import expressions
from tests.simulation.aws.access import Access
from tests.simulation.aws.expressions import Item, Value

Tables = dict[str, dict[tuple[str, ...], Item]]
"""Table name → key values → item."""
KEYS = {"shards": ("application", "shard"), "aggregates": ("window", "part"), "users": ("user",), "decisions": ("purchase",)}


def keys_of(table: str) -> tuple[str, ...]:
    return KEYS[table.rpartition("-")[2]]


def refuse(service: str, operation: str, **parameters: Any) -> None:
    """Raises what AWS answers to a request beyond its limits."""
    refused = refusal(service, operation, parameters, keys_of)
    if refused is not None:
        raise ClientError({"Error": {"Code": refused.code, "Message": refused.message}}, operation)


class Stores:
    """What outlives every process."""

    def __init__(self) -> None:
        self.tables: Tables = {name: {} for name in KEYS}
        self.objects: dict[str, bytes] = {}
        self.messages: list[str] = []


class DynamoDb:
    """One process's client; table names end in one of ``KEYS``."""

    def __init__(self, stores: Stores, access: Access) -> None:
        self._stores = stores
        self._access = access

    def get_item(self, *, TableName: str, Key: Item, ConsistentRead: bool) -> dict[str, Any]:  # boto3's names
        table, key = self._place(TableName, Key)

        def read() -> dict[str, Any]:
            return {"Item": dict(table[key])} if key in table else {}

        return self._access.call("dynamodb", "GetItem", read, writes=False)

    def put_item(
        self,
        *,
        TableName: str,  # boto3's names, here and below
        Item: Item,
        ConditionExpression: str | None = None,
        ExpressionAttributeNames: Mapping[str, str] | None = None,
        ExpressionAttributeValues: Mapping[str, Value] | None = None,
    ) -> None:
        table, key = self._place(TableName, Item)

        def put() -> None:
            refuse("dynamodb", "PutItem", TableName=TableName, Item=Item)
            _check(table.get(key), ConditionExpression, ExpressionAttributeNames or {}, ExpressionAttributeValues or {})
            table[key] = dict(Item)

        self._access.call("dynamodb", f"PutItem {key}", put, writes=True)

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
    ) -> dict[str, Any]:
        table, key = self._place(TableName, Key)
        names, values = ExpressionAttributeNames or {}, ExpressionAttributeValues

        def change() -> dict[str, Any]:
            refuse("dynamodb", "UpdateItem", TableName=TableName, Key=Key, UpdateExpression=UpdateExpression)
            _check(table.get(key), ConditionExpression, names, values)
            item = table.setdefault(key, dict(Key))
            expressions.update(UpdateExpression, names, item, values)
            return {"Attributes": dict(item)} if ReturnValues == "ALL_NEW" else {}

        return self._access.call("dynamodb", f"UpdateItem {key}", change, writes=True)

    def _place(self, table: str, item: Item) -> tuple[dict[tuple[str, ...], Item], tuple[str, ...]]:
        name = table.rpartition("-")[2]
        return self._stores.tables[name], tuple(str(item[part]["S"]) for part in KEYS[name])


def _check(item: Item | None, condition: str | None, names: Mapping[str, str], values: Mapping[str, Value]) -> None:
    if condition is not None and not expressions.holds(condition, names, item or {}, values):
        refused: Any = {"Error": {"Code": "ConditionalCheckFailedException", "Message": ""}, "Item": dict(item or {})}
        raise ClientError(refused, "UpdateItem")


class _NoSuchKey(ClientError):
    def __init__(self, key: str) -> None:
        super().__init__({"Error": {"Code": "NoSuchKey", "Message": key}}, "GetObject")


class _Errors:
    NoSuchKey = _NoSuchKey


class _Body:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self) -> bytes:
        return self._data


class _Listing:
    """Its pages come one by one, and the bucket may change in between."""

    PAGE = 3

    def __init__(self, stores: Stores, access: Access) -> None:
        self._stores = stores
        self._access = access

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:
        last = ""
        while True:

            def page(after: str = last) -> list[str]:
                return sorted(key for key in self._stores.objects if key.startswith(Prefix) and key > after)

            keys = self._access.call("s3", "ListObjectsV2", page, writes=False)
            yield {"Contents": [{"Key": key} for key in keys[: self.PAGE]]}
            if len(keys) <= self.PAGE:
                return
            last = keys[self.PAGE - 1]


class S3:
    """One process's client of one bucket."""

    exceptions = _Errors

    def __init__(self, stores: Stores, access: Access) -> None:
        self._stores = stores
        self._access = access

    def stored(self) -> list[str]:
        """The keys of all objects; no call of AWS."""
        return list(self._stores.objects)

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:
        def put() -> None:
            refuse("s3", "PutObject", Bucket=Bucket, Key=Key)
            self._stores.objects[Key] = Body

        self._access.call("s3", f"PutObject {Key}", put, writes=True)

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        def read() -> bytes:
            if Key not in self._stores.objects:
                raise _NoSuchKey(Key)
            return self._stores.objects[Key]

        return {"Body": _Body(self._access.call("s3", f"GetObject {Key}", read, writes=False))}

    def delete_objects(self, *, Bucket: str, Delete: Mapping[str, Any]) -> None:
        def delete() -> None:
            for each in Delete["Objects"]:
                self._stores.objects.pop(each["Key"], None)

        self._access.call("s3", "DeleteObjects", delete, writes=True)

    def get_paginator(self, operation: str) -> _Listing:
        assert operation == "list_objects_v2"
        return _Listing(self._stores, self._access)


class Sqs:
    """One process's client of one queue; a batch may be taken in part."""

    def __init__(self, stores: Stores, access: Access) -> None:
        self._stores = stores
        self._access = access

    def get_queue_url(self, *, QueueName: str) -> dict[str, str]:
        return self._access.call("sqs", "GetQueueUrl", lambda: {"QueueUrl": QueueName}, writes=False)

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:
        def send() -> dict[str, Any]:
            refuse("sqs", "SendMessageBatch", QueueUrl=QueueUrl, Entries=Entries)
            self._stores.messages += [entry["MessageBody"] for entry in Entries]
            return {}

        return self._access.call("sqs", f"SendMessageBatch of {len(Entries)}", send, writes=True)


class SimulatedClients(msgspec.Struct, frozen=True):
    """Stands where ``clickstream.aws.Clients`` stands."""

    dynamodb: DynamoDb
    s3: S3
    sqs: Sqs

    @classmethod
    def of(cls, stores: Stores, access: Access) -> SimulatedClients:
        return cls(DynamoDb(stores, access), S3(stores, access), Sqs(stores, access))
