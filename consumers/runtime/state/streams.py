"""Which stream an application has read: one that was deleted and made again under its name has other records.

KCL's leases and our snapshots name positions in the old one, which Kinesis refuses for ever (docs/decisions/0027).
"""

from contextlib import suppress
from datetime import UTC, datetime

from clickstream.aws import Clients
from clickstream.consumers.runtime.state.chain import ChainObjects
from clickstream.errors import Missing, UserMistake
from clickstream.failures.outages import asked
from clickstream.platform import STATE
from clickstream.progress.shards_table import ShardsTable
from clickstream.settings import Settings


def recognise(application: str, created: datetime, clients: Clients, settings: Settings) -> None:
    """Remember the stream at the application's first start, and know it again at every other; raises UserMistake."""
    created_ms = round(created.timestamp() * 1000)
    known_ms = ShardsTable(clients, settings).stream_of(application, created_ms)
    if known_ms != created_ms:
        known = datetime.fromtimestamp(known_ms / 1000, UTC)
        raise UserMistake(
            f"stream {settings.stream} was made again: the leases and snapshots of {application} belong to the one of "
            f"{known:%Y-%m-%d %H:%M:%S} UTC",
            hint="the stream was deleted and made again: "
            f"`clickstream worker {application} --forget` deletes the leases and snapshots of the old one",
        )


def forget(application: str, clients: Clients, settings: Settings) -> int:
    """Delete the application's leases, positions and snapshots, but not its answers; returns how many shards it knew.

    Its workers must be stopped. May be repeated when it was interrupted: the stream's item goes last.
    """
    dynamodb, leases = clients.dynamodb, settings.application(application)
    with suppress(Missing), asked("DynamoDB", f"table {leases}"):
        pages = dynamodb.get_paginator("scan").paginate(TableName=leases, ProjectionExpression="leaseKey")
        for lease in [item for page in pages for item in page["Items"]]:
            dynamodb.delete_item(TableName=leases, Key=lease)
    objects = ChainObjects(clients, STATE.of(settings))
    objects.delete(objects.keys(f"{application}/"))
    return ShardsTable(clients, settings).delete(application)
