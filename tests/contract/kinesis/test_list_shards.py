"""ListShards: every filter, pages and their tokens."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.contract.conftest import NewStream
from tests.contract.target import HASH_SPACE, Target

pytestmark = pytest.mark.contract


@dataclass(frozen=True)
class Split:
    """Two shards, then shard 0 split into 2 and 3."""

    stream: str
    before: datetime
    after: datetime


@pytest.fixture(scope="module")
def split(kinesis: Target, new_stream: NewStream) -> Split:
    stream = new_stream(2)
    for key in (0, HASH_SPACE - 1):
        kinesis.client.put_record(StreamName=stream, PartitionKey="k", ExplicitHashKey=str(key), Data=b"x")
    before = moment()
    with kinesis.resharding(stream):
        kinesis.client.split_shard(
            StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(HASH_SPACE // 4)
        )
    return Split(stream, before, moment())


def moment() -> datetime:
    """A time with no event of ours in the milliseconds around it."""
    time.sleep(0.005)  # not a wait for something: shards' times are whole milliseconds
    now = datetime.now(UTC)
    time.sleep(0.005)
    return now


def ids(kinesis: Target, **parameters: Any) -> list[int]:
    return [int(shard["ShardId"][-12:]) for shard in kinesis.client.list_shards(**parameters)["Shards"]]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("AT_LATEST", [1, 2, 3]), ("AT_TRIM_HORIZON", [0, 1]), ("FROM_TRIM_HORIZON", [0, 1, 2, 3])],
)
def test_filters_by_position(kinesis: Target, split: Split, kind: str, expected: list[int]) -> None:
    seen = ids(kinesis, StreamName=split.stream, ShardFilter={"Type": kind})
    kinesis.observe(f"list-shards.{kind}", tuple(seen), tuple(expected))


@pytest.mark.parametrize(
    ("kind", "when", "expected"),
    [
        ("AT_TIMESTAMP", "before", [0, 1]),
        ("AT_TIMESTAMP", "after", [1, 2, 3]),
        ("FROM_TIMESTAMP", "before", [0, 1, 2, 3]),
        ("FROM_TIMESTAMP", "after", [1, 2, 3]),
    ],
)
def test_filters_by_time(kinesis: Target, split: Split, kind: str, when: str, expected: list[int]) -> None:
    at = split.before if when == "before" else split.after
    seen = ids(kinesis, StreamName=split.stream, ShardFilter={"Type": kind, "Timestamp": at})
    kinesis.observe(f"list-shards.{kind}.{when}", tuple(seen), tuple(expected))


def test_after_a_shard(kinesis: Target, split: Split) -> None:
    after = {"Type": "AFTER_SHARD_ID", "ShardId": "shardId-000000000001"}

    assert ids(kinesis, StreamName=split.stream, ShardFilter=after) == [2, 3]
    assert ids(kinesis, StreamName=split.stream, ExclusiveStartShardId="shardId-000000000000") == [1, 2, 3]


def test_pages(kinesis: Target, split: Split) -> None:
    first = kinesis.client.list_shards(StreamName=split.stream, MaxResults=3)
    second = kinesis.client.list_shards(NextToken=first["NextToken"], MaxResults=3)

    assert [shard["ShardId"][-1] for shard in first["Shards"] + second["Shards"]] == ["0", "1", "2", "3"]
    assert "NextToken" not in second


def test_a_token_stands_alone(kinesis: Target, split: Split) -> None:
    token = kinesis.client.list_shards(StreamName=split.stream, MaxResults=1)["NextToken"]

    both = kinesis.refusal("list_shards", StreamName=split.stream, NextToken=token)
    kinesis.observe("list-shards.token-and-stream", both, "InvalidArgumentException")
    with_start = kinesis.refusal("list_shards", NextToken=token, ExclusiveStartShardId="shardId-000000000001")
    kinesis.observe("list-shards.token-and-start", with_start, "InvalidArgumentException")
    foreign = kinesis.refusal("list_shards", NextToken="not a token")
    kinesis.observe("list-shards.foreign-token", foreign, "InvalidArgumentException")
    neither = kinesis.refusal("list_shards")
    kinesis.observe("list-shards.neither", neither, "InvalidArgumentException")


def test_a_filter_needs_its_operand(kinesis: Target, split: Split) -> None:
    for kind in ("AFTER_SHARD_ID", "AT_TIMESTAMP", "FROM_TIMESTAMP"):
        refusal = kinesis.refusal("list_shards", StreamName=split.stream, ShardFilter={"Type": kind})
        kinesis.observe(f"list-shards.{kind}.no-operand", refusal, "InvalidArgumentException")
    unknown = kinesis.refusal("list_shards", StreamName=split.stream, ShardFilter={"Type": "AT_NOON"})
    kinesis.observe("list-shards.unknown-filter", unknown, "ValidationException")
