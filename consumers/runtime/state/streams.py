"""Which stream an application has read: one that was deleted and made again under its name has other records.

KCL's leases and our snapshots name positions in the old one, which Kinesis refuses for ever (docs/decisions/0027).
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from clickstream.aws import Clients
from clickstream.errors import UserMistake
from clickstream.platform import SHARDS, STATE
from clickstream.settings import Settings
from consumers.runtime.faults.outages import translated

#: Beside the application's shards; keys that begin with "#" are reserved for what is no shard.
_ITEM = "#stream"


def recognise(application: str, created: datetime, clients: Clients, settings: Settings) -> None:
    """Remember the stream at the application's first start, and know it again at every other; raises UserMistake."""
    created_ms = round(created.timestamp() * 1000)
    with translated("DynamoDB"):
        item = clients.dynamodb.update_item(
            TableName=SHARDS.of(settings),
            Key={"application": {"S": application}, "shard": {"S": _ITEM}},
            UpdateExpression="SET created_at = if_not_exists(created_at, :created)",
            ExpressionAttributeValues={":created": {"N": str(created_ms)}},
            ReturnValues="ALL_NEW",
        )["Attributes"]
    if (known_ms := int(item["created_at"]["N"])) != created_ms:
        known = datetime.fromtimestamp(known_ms / 1000, UTC)
        raise UserMistake(
            f"stream {settings.stream} was made again: the leases and snapshots of {application} belong to the one of "
            f"{known:%Y-%m-%d %H:%M:%S} UTC",
            hint="the stream was deleted and made again: "
            f"`clickstream worker {application} --forget` deletes the leases and snapshots of the old one",
        )


def forget(application: str, clients: Clients, settings: Settings) -> int:
    """Delete the application's leases, positions and snapshots, its answers not; returns how many shards it knew.

    Its workers must be stopped. May be repeated when it was interrupted: the stream's item goes last.
    """
    dynamodb, leases = clients.dynamodb, settings.application(application)
    with translated("DynamoDB"), suppress(dynamodb.exceptions.ResourceNotFoundException):
        pages = dynamodb.get_paginator("scan").paginate(TableName=leases, ProjectionExpression="leaseKey")
        for lease in [item for page in pages for item in page["Items"]]:
            dynamodb.delete_item(TableName=leases, Key=lease)
    with translated("S3"):
        listing = clients.s3.get_paginator("list_objects_v2").paginate(Bucket=STATE.of(settings), Prefix=f"{application}/")
        for key in [entry["Key"] for page in listing for entry in page.get("Contents", [])]:
            clients.s3.delete_object(Bucket=STATE.of(settings), Key=key)
    with translated("DynamoDB"):
        rows = dynamodb.get_paginator("query").paginate(
            TableName=SHARDS.of(settings),
            KeyConditionExpression="application = :application",
            ProjectionExpression="application, #shard",
            ExpressionAttributeNames={"#shard": "shard"},
            ExpressionAttributeValues={":application": {"S": application}},
            ScanIndexForward=False,
        )
        shards = [item for page in rows for item in page["Items"]]
        for shard in shards:
            dynamodb.delete_item(TableName=SHARDS.of(settings), Key=shard)
    return sum(not shard["shard"]["S"].startswith("#") for shard in shards)
