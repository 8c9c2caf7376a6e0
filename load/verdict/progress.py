"""How far an application has come, read from the shards table the way an operator would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from hdrh.histogram import HdrHistogram

from clickstream.errors import Missing, RetryLater
from clickstream.platform import SHARDS
from clickstream.progress.completeness import Arrival
from clickstream.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: Range and precision of every latency histogram here: 1 ms to an hour, two significant digits.
HIGHEST_MS = 3_600_000
DIGITS = 2


class ShardProgress(Arrival, frozen=True, kw_only=True):
    """One shard of one application as of its last commit."""

    shard: str
    events: int = 0
    """Valid events folded once."""
    duplicates: int = 0
    dead_letters: int = 0
    foreign: int = 0
    """Events refused because they belong to another shard: their publisher put them again after a reshard."""
    behind_ms: int = 0
    updated_at: int = 0
    ended: bool = False
    epoch: int = 0
    """How often the shard has come to a process."""
    latency: str = ""
    """Base64 HdrHistogram: put to visible effect, in milliseconds."""


class Counted(msgspec.Struct, frozen=True):
    """Sums over an application's shards."""

    events: int = 0
    duplicates: int = 0
    dead_letters: int = 0

    @property
    def records(self) -> int:
        return self.events + self.duplicates + self.dead_letters

    def __sub__(self, earlier: Counted) -> Counted:
        return Counted(
            self.events - earlier.events, self.duplicates - earlier.duplicates, self.dead_letters - earlier.dead_letters
        )


def read(dynamodb: DynamoDBClient, settings: Settings, application: str) -> list[ShardProgress]:
    """Every shard's progress; items that are not shards (``#…``) are left out. Raises Missing, RetryLater."""
    # boto3 is slow to import: only who reads pays
    from botocore.exceptions import BotoCoreError, ClientError

    pages = dynamodb.get_paginator("query").paginate(
        TableName=SHARDS.of(settings),
        KeyConditionExpression="application = :application",
        ExpressionAttributeValues={":application": {"S": application}},
        ConsistentRead=True,
    )
    try:
        items = [item for page in pages for item in page["Items"]]
    except dynamodb.exceptions.ResourceNotFoundException as error:
        raise Missing(
            f"no table {SHARDS.of(settings)}", hint='eval "$(clickstream local start)"; is CLICKSTREAM_NAME another?'
        ) from error
    except (BotoCoreError, ClientError) as error:
        raise RetryLater(f"DynamoDB does not answer: {error}") from error
    return [_progress(item) for item in items if not item["shard"]["S"].startswith("#")]


def _progress(item: dict[str, Any]) -> ShardProgress:
    plain: dict[str, object] = {}
    for field in msgspec.structs.fields(ShardProgress):
        for kind, value in item.get(field.name, {}).items():
            plain[field.name] = int(value) if kind == "N" else value
    return msgspec.convert(plain, ShardProgress)


def counted(shards: Sequence[ShardProgress]) -> Counted:
    return Counted(
        sum(shard.events for shard in shards),
        sum(shard.duplicates for shard in shards),
        sum(shard.dead_letters for shard in shards),
    )


def caught_up(shards: Sequence[ShardProgress], since_ms: int) -> bool:
    """Whether every shard that is still open has told, after ``since_ms``, that there was nothing more to read."""
    return bool(shards) and all(shard.ended or (shard.behind_ms == 0 and shard.updated_at > since_ms) for shard in shards)


def latency(shards: Sequence[ShardProgress]) -> HdrHistogram:
    """Put to visible effect over all shards, in milliseconds."""
    merged = HdrHistogram(1, HIGHEST_MS, DIGITS)
    for shard in shards:
        if shard.latency:
            merged.add(HdrHistogram.decode(shard.latency))
    return merged
