"""The shards table as an operator reads it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Timer
from typing import Any

import boto3
import pytest
from hdrh.histogram import HdrHistogram
from moto import mock_aws
from mypy_boto3_dynamodb import DynamoDBClient

from clickstream.aws import Clients
from clickstream.errors import Missing
from clickstream.load.verdict import progress, subjects
from clickstream.load.verdict.progress import Counted, ShardProgress
from clickstream.platform import SHARDS
from clickstream.settings import Settings

SETTINGS = Settings()


@pytest.fixture
def dynamodb() -> Iterator[DynamoDBClient]:
    with mock_aws():
        yield boto3.client("dynamodb", region_name=SETTINGS.region)


def _table(dynamodb: DynamoDBClient) -> None:
    dynamodb.create_table(
        TableName=SHARDS.of(SETTINGS),
        KeySchema=[{"AttributeName": "application", "KeyType": "HASH"}, {"AttributeName": "shard", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("application", "shard")],
        BillingMode="PAY_PER_REQUEST",
    )


def test_shards_of_one_application_are_read_and_reserved_items_are_not(dynamodb: DynamoDBClient) -> None:
    _table(dynamodb)
    histogram = HdrHistogram(1, 3_600_000, 2)
    histogram.record_value(250)
    full: dict[str, Any] = {
        name: {"N": str(n)} for n, name in enumerate(("events", "duplicates", "dead_letters", "behind_ms"), start=5)
    }
    full |= {"ended": {"BOOL": True}, "latency": {"S": histogram.encode().decode()}, "position": {"S": "1"}}
    for application, shard, rest in (
        ("analytics", "#topology", {}),
        ("analytics", "shardId-0", full),
        ("analytics", "shardId-1", {"epoch": {"N": "1"}}),
        ("fraud", "shardId-0", full),
    ):
        dynamodb.put_item(
            TableName=SHARDS.of(SETTINGS), Item={"application": {"S": application}, "shard": {"S": shard}, **rest}
        )

    shards = progress.read(dynamodb, SETTINGS, "analytics")

    first, second = shards
    assert (first.shard, first.events, first.duplicates, first.dead_letters, first.behind_ms) == ("shardId-0", 5, 6, 7, 8)
    assert first.ended
    assert second == ShardProgress(shard="shardId-1", epoch=1)
    assert progress.counted(shards) == Counted(5, 6, 7)
    assert progress.counted(shards).records == 18
    assert progress.latency(shards).get_value_at_percentile(50) in range(249, 252)


def test_a_missing_table_is_named(dynamodb: DynamoDBClient) -> None:
    with pytest.raises(Missing, match="clickstream-shards"):
        progress.read(dynamodb, SETTINGS, "analytics")


def test_nothing_is_caught_up_before_a_shard_has_an_owner() -> None:
    assert not progress.caught_up([], since_ms=0)


def _say(dynamodb: DynamoDBClient, **fields: int) -> None:
    item = {name: {"N": str(value)} for name, value in fields.items()}
    dynamodb.put_item(
        TableName=SHARDS.of(SETTINGS), Item={"application": {"S": "analytics"}, "shard": {"S": "shardId-0"}, **item}
    )


def test_what_was_counted_before_is_asked_once_all_that_is_on_the_stream_was_read(dynamodb: DynamoDBClient) -> None:
    _table(dynamodb)
    _say(dynamodb, events=2, behind_ms=70, updated_at=time.time_ns() // 1_000_000)
    later = Timer(0.5, lambda: _say(dynamodb, events=5, behind_ms=0, updated_at=time.time_ns() // 1_000_000 + 2_000))
    later.start()

    assert subjects.counted(Clients(SETTINGS), SETTINGS, ["analytics"])["analytics"].events == 5
    later.join()
    _say(dynamodb, events=2, behind_ms=70, updated_at=1)
    assert subjects.counted(Clients(SETTINGS), SETTINGS, ["analytics", "fraud"]) == {
        "analytics": Counted(events=2),
        "fraud": Counted(),
    }, "who stands still is not waited for"
