"""The KCL application's tables, made and filled before the first worker starts, so that it starts in seconds.

Left alone, KCL waits up to 30 s before it fills an empty lease table, sleeps a minute after that, and hands the leases out
later still. One item per shard, already owned by the worker that is about to start, skips all of it. Only a table without any
lease is filled, and every item is written only if absent: a lease under a live worker is never touched.

One more item matters for hours, not seconds: ``Migration3.0`` pins lease assignment to KCL 2's way, in which every worker
takes expired leases by itself. KCL 3's way hangs on one leader, whose death stops all takeover for two minutes
(docs/decisions/0005).
"""

from collections.abc import Sequence

import structlog

from clickstream.aws import Clients
from clickstream.aws.boto_types import DynamoDBClient, UniversalAttributeValueTypeDef
from clickstream.aws.items import update
from clickstream.consumers.needs import lease_tables
from clickstream.consumers.runtime.worker.properties import InitialPosition
from clickstream.needs import Table
from clickstream.records.routing import Shard

log = structlog.get_logger()

MIGRATION_KEY = "Migration3.0"
PINNED_VERSION = "CLIENT_VERSION_2X"


def first_lease(shard: Shard, owner: str, position: InitialPosition) -> dict[str, UniversalAttributeValueTypeDef]:
    """The lease of a shard before any worker, as KCL's own serializer writes it."""
    item: dict[str, UniversalAttributeValueTypeDef] = {
        "leaseKey": {"S": shard.shard_id},
        "leaseOwner": {"S": owner},
        "leaseCounter": {"N": "0"},
        "ownerSwitchesSinceCheckpoint": {"N": "0"},
        "checkpoint": {"S": position},
        "checkpointSubSequenceNumber": {"N": "0"},
        "startingHashKey": {"S": str(int.from_bytes(shard.hash_range.start, "big"))},
        "endingHashKey": {"S": str(int.from_bytes(shard.hash_range.end, "big"))},
    }
    if shard.parents:
        item["parentShardId"] = {"SS": list(shard.parents)}
    return item


def prepare(
    application: str, owner: str, shards: Sequence[Shard], clients: Clients, *, position: InitialPosition = "TRIM_HORIZON"
) -> int:
    """Create the application's tables if they are missing, pin the assignment, and seed an empty lease table.

    Returns the number of leases written; 0 when the application has run before. Workers that start at the same time may all
    call it: each lease goes to one of them. From TRIM_HORIZON every shard is read, closed ones too: KCL keeps a child waiting
    while a parent's lease is not at its end. From LATEST only the open ones are.
    """
    dynamodb = clients.dynamodb
    for table in lease_tables(application):
        _create(dynamodb, table)
    _pin(dynamodb, application)
    if dynamodb.scan(TableName=application, Limit=1, ConsistentRead=True)["Items"]:
        return 0
    read = [shard for shard in shards if position == "TRIM_HORIZON" or shard.is_open]
    return sum(_put_if_absent(dynamodb, application, "leaseKey", first_lease(shard, owner, position)) for shard in read)


def release(application: str, owner: str, clients: Clients) -> int:
    """Give up the leases of a worker whose JVM has ended, so that others need not wait for their expiry; returns how many.

    To be called only while the worker's id is still locked and its JVM is known to be dead: no other process edits its leases.
    """
    dynamodb = clients.dynamodb
    released = 0
    for lease in owned(application, owner, dynamodb, ended=True):
        try:
            # a worker that has just read this lease sees by the counter that it read an old version
            change, key = "REMOVE leaseOwner ADD leaseCounter :one", {"leaseKey": lease}
            dynamodb.update_item(**update(application, key, change, {"owner": owner, "one": 1}, "leaseOwner = :owner"))
            released += 1
        except dynamodb.exceptions.ConditionalCheckFailedException:
            continue
    return released


def owned(application: str, owner: str, dynamodb: DynamoDBClient, *, ended: bool = False) -> list[str]:
    """The shards whose leases a worker has; those that were read to their end only when ``ended``."""
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=application,
        ConsistentRead=True,
        FilterExpression="leaseOwner = :owner",
        ProjectionExpression="leaseKey, checkpoint",
        ExpressionAttributeValues={":owner": {"S": owner}},
    )
    return [
        item["leaseKey"]["S"]
        for page in pages
        for item in page["Items"]
        if ended or item.get("checkpoint", {}).get("S") != "SHARD_END"
    ]


def _pin(dynamodb: DynamoDBClient, application: str) -> None:
    table = lease_tables(application)[1].suffix
    pin: dict[str, UniversalAttributeValueTypeDef] = {
        "key": {"S": MIGRATION_KEY},
        "cv": {"S": PINNED_VERSION},
        "mb": {"S": "clickstream"},
        "mts": {"N": "0"},
    }
    if _put_if_absent(dynamodb, table, "key", pin):
        return
    found = dynamodb.get_item(TableName=table, Key={"key": pin["key"]}, ConsistentRead=True)["Item"]["cv"]["S"]
    if found != PINNED_VERSION:
        log.warning("leases are assigned by a leader: takeover can last minutes", application=application, version=found)


def _create(dynamodb: DynamoDBClient, table: Table) -> None:
    """Asks first: a worker's role may be allowed to describe tables but not to make them."""
    name = table.suffix
    try:
        dynamodb.describe_table(TableName=name)
    except dynamodb.exceptions.ResourceNotFoundException:
        try:
            dynamodb.create_table(**table.creation(name))
        except dynamodb.exceptions.ResourceInUseException:
            log.debug("another worker makes the table", table=name)
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 120})


def _put_if_absent(dynamodb: DynamoDBClient, table: str, key: str, item: dict[str, UniversalAttributeValueTypeDef]) -> bool:
    try:
        dynamodb.put_item(
            TableName=table,
            Item=item,
            ConditionExpression="attribute_not_exists(#key)",
            ExpressionAttributeNames={"#key": key},  # the coordinator's key is called "key", a reserved word
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return False
    return True
