"""Every malformed call that AWS refuses is refused with the same error type."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.contract.conftest import NewStream
from tests.contract.servers import SHARD_LIMIT
from tests.contract.target import HASH_SPACE, Target, hash_range

pytestmark = pytest.mark.contract

SHARDS = [f"shardId-{index:012}" for index in range(6)]
"""0 was split into 4 and 5; 1, 2 and 3 are open; 6 and beyond do not exist."""
MEBIBYTE = 1 << 20
INVALID, MISSING, IN_USE = "InvalidArgumentException", "ResourceNotFoundException", "ResourceInUseException"
LIMIT, VALIDATION = "LimitExceededException", "ValidationException"
EITHER = frozenset({INVALID, VALIDATION})
"""AWS documents the bound, and not which of the two answers it."""
TOO_FAR = frozenset({INVALID, LIMIT})
"""AWS lists it among the limits of UpdateShardCount, and does not name the error."""


class Prepared:
    """A stream with the shards above, made again after a server accepted what it should have refused."""

    def __init__(self, kinesis: Target, new_stream: NewStream) -> None:
        self._kinesis, self._new_stream = kinesis, new_stream
        self.renew()

    def renew(self) -> None:
        self.name = self._new_stream(4)
        shards = self._kinesis.shards(self.name)
        start, end = hash_range(shards[SHARDS[0]])
        with self._kinesis.resharding(self.name):
            self._kinesis.client.split_shard(
                StreamName=self.name, ShardToSplit=SHARDS[0], NewStartingHashKey=str((start + end) // 2)
            )
        self.start, self.end = hash_range(shards[SHARDS[1]])


@pytest.fixture(scope="module")
def prepared(kinesis: Target, new_stream: NewStream) -> Prepared:
    return Prepared(kinesis, new_stream)


@pytest.fixture
def stream(prepared: Prepared) -> str:
    return prepared.name


def entries(count: int, size: int = 1) -> list[dict[str, object]]:
    return [{"PartitionKey": "k", "Data": b"x" * size}] * count


def put(**changes: object) -> dict[str, object]:
    return {"PartitionKey": "k", "Data": b"x", **changes}


def at(kind: str, shard: str = SHARDS[1], **start: object) -> dict[str, object]:
    return {"ShardId": shard, "ShardIteratorType": kind, **start}


def split(shard: str, key: int | str) -> dict[str, object]:
    return {"ShardToSplit": shard, "NewStartingHashKey": str(key)}


def merge(shard: str, neighbour: str) -> dict[str, object]:
    return {"ShardToMerge": shard, "AdjacentShardToMerge": neighbour}


CALLS: list[tuple[str, str, Mapping[str, object], str | frozenset[str]]] = [
    # keys
    ("put.empty-key", "put_record", put(PartitionKey=""), VALIDATION),
    ("put.long-key", "put_record", put(PartitionKey="k" * 257), VALIDATION),
    ("put.no-key", "put_record", {"Data": b"x"}, VALIDATION),
    ("put.no-data", "put_record", {"PartitionKey": "k"}, VALIDATION),
    ("put.hash-key-over-range", "put_record", put(ExplicitHashKey=str(HASH_SPACE)), INVALID),
    ("put.hash-key-negative", "put_record", put(ExplicitHashKey="-1"), VALIDATION),
    ("put.hash-key-not-a-number", "put_record", put(ExplicitHashKey="abc"), VALIDATION),
    ("put.hash-key-leading-zero", "put_record", put(ExplicitHashKey="01"), VALIDATION),
    ("put.foreign-ordering-hint", "put_record", put(SequenceNumberForOrdering="1"), INVALID),
    ("puts.empty-key", "put_records", {"Records": [put(), put(PartitionKey="")]}, VALIDATION),
    ("puts.long-key", "put_records", {"Records": [put(), put(PartitionKey="k" * 257)]}, VALIDATION),
    ("puts.hash-key-over-range", "put_records", {"Records": [put(ExplicitHashKey=str(HASH_SPACE))]}, INVALID),
    # sizes
    ("put.over-size", "put_record", put(Data=b"x" * (MEBIBYTE + 1)), EITHER),
    ("put.over-size-by-its-key", "put_record", put(Data=b"x" * MEBIBYTE), EITHER),
    ("puts.over-size-record", "put_records", {"Records": entries(1, MEBIBYTE + 1)}, EITHER),
    ("puts.over-size-call", "put_records", {"Records": entries(11, MEBIBYTE - 1)}, EITHER),
    ("puts.501-records", "put_records", {"Records": entries(501)}, VALIDATION),
    ("puts.no-records", "put_records", {"Records": []}, VALIDATION),
    # iterators
    ("iterator.unknown-shard", "get_shard_iterator", at("TRIM_HORIZON", "shardId-000000000099"), MISSING),
    ("iterator.malformed-shard", "get_shard_iterator", at("TRIM_HORIZON", "shard number one"), VALIDATION),
    ("iterator.unknown-type", "get_shard_iterator", at("FROM_THE_TOP"), VALIDATION),
    ("iterator.no-number", "get_shard_iterator", at("AT_SEQUENCE_NUMBER"), INVALID),
    ("iterator.no-timestamp", "get_shard_iterator", at("AT_TIMESTAMP"), INVALID),
    ("iterator.bad-number", "get_shard_iterator", at("AT_SEQUENCE_NUMBER", StartingSequenceNumber="x"), VALIDATION),
    # resharding
    ("split.closed", "split_shard", split(SHARDS[0], HASH_SPACE // 16), INVALID),
    ("split.unknown-shard", "split_shard", split("shardId-000000000099", 1), MISSING),
    ("split.outside-range", "split_shard", split(SHARDS[1], 5), INVALID),
    ("split.over-range", "split_shard", split(SHARDS[1], HASH_SPACE), INVALID),
    ("split.not-a-number", "split_shard", split(SHARDS[1], "half"), VALIDATION),
    ("merge.not-neighbours", "merge_shards", merge(SHARDS[1], SHARDS[3]), INVALID),
    ("merge.inverted", "merge_shards", merge(SHARDS[2], SHARDS[1]), INVALID),
    ("merge.with-itself", "merge_shards", merge(SHARDS[1], SHARDS[1]), INVALID),
    ("merge.closed", "merge_shards", merge(SHARDS[0], SHARDS[1]), INVALID),
    ("merge.unknown-shard", "merge_shards", merge(SHARDS[1], "shardId-000000000099"), MISSING),
    ("scale.over-double", "update_shard_count", {"TargetShardCount": 11, "ScalingType": "UNIFORM_SCALING"}, TOO_FAR),
    ("scale.under-half", "update_shard_count", {"TargetShardCount": 1, "ScalingType": "UNIFORM_SCALING"}, TOO_FAR),
    ("scale.to-nothing", "update_shard_count", {"TargetShardCount": 0, "ScalingType": "UNIFORM_SCALING"}, VALIDATION),
    ("scale.unknown-type", "update_shard_count", {"TargetShardCount": 6, "ScalingType": "SOMEHOW"}, VALIDATION),
    ("create.again", "create_stream", {"ShardCount": 1}, IN_USE),
]


@pytest.mark.parametrize(("topic", "operation", "parameters", "documented"), CALLS, ids=[call[0] for call in CALLS])
def test_refused(
    kinesis: Target,
    prepared: Prepared,
    topic: str,
    operation: str,
    parameters: Mapping[str, Any],
    documented: str | frozenset[str],
) -> None:
    before = kinesis.shards(prepared.name)

    seen = kinesis.refusal(operation, StreamName=prepared.name, **parameters)

    if seen is None:
        prepared.renew()
    else:
        assert kinesis.shards(prepared.name) == before
    kinesis.observe(topic, seen, documented)


@pytest.mark.parametrize("edge", ["start", "end"])
def test_a_split_leaves_no_shard_empty(kinesis: Target, prepared: Prepared, edge: str) -> None:
    key = prepared.start if edge == "start" else prepared.end

    seen = kinesis.refusal("split_shard", StreamName=prepared.name, **split(SHARDS[1], key))

    if seen is None:
        prepared.renew()
    kinesis.observe(f"split.at-its-{edge}", seen, INVALID)


UNKNOWN_STREAM: list[tuple[str, Mapping[str, object]]] = [
    ("describe_stream", {}),
    ("describe_stream_summary", {}),
    ("list_shards", {}),
    ("delete_stream", {}),
    ("put_record", put()),
    ("put_records", {"Records": entries(1)}),
    ("get_shard_iterator", at("LATEST")),
    ("split_shard", split(SHARDS[0], 1)),
    ("merge_shards", merge(SHARDS[0], SHARDS[1])),
    ("update_shard_count", {"TargetShardCount": 2, "ScalingType": "UNIFORM_SCALING"}),
    ("increase_stream_retention_period", {"RetentionPeriodHours": 48}),
    ("add_tags_to_stream", {"Tags": {"a": "b"}}),
    ("list_tags_for_stream", {}),
]


@pytest.mark.parametrize(("operation", "parameters"), UNKNOWN_STREAM, ids=[call[0] for call in UNKNOWN_STREAM])
def test_unknown_stream(kinesis: Target, operation: str, parameters: Mapping[str, Any]) -> None:
    seen = kinesis.refusal(operation, StreamName="nowhere", **parameters)
    kinesis.observe(f"unknown-stream.{operation}", seen, MISSING)


@pytest.mark.parametrize("name", ["", "with space", "x" * 129], ids=["empty", "space", "long"])
def test_malformed_stream_name(kinesis: Target, name: str) -> None:
    seen = kinesis.refusal("create_stream", StreamName=name, ShardCount=1)
    kinesis.observe(f"create.malformed-name.{name[:1] or 'empty'}", seen, VALIDATION)


def test_malformed_iterators(kinesis: Target, stream: str) -> None:
    good = kinesis.iterator(stream, SHARDS[1])
    nonsense = kinesis.refusal("get_records", ShardIterator="nonsense")
    kinesis.observe("get.malformed-iterator", nonsense, INVALID)
    torn = kinesis.refusal("get_records", ShardIterator=good[: len(good) // 2])
    kinesis.observe("get.torn-iterator", torn, INVALID)
    empty = kinesis.refusal("get_records", ShardIterator="")
    kinesis.observe("get.empty-iterator", empty, VALIDATION)
    too_many = kinesis.refusal("get_records", ShardIterator=good, Limit=10_001)
    kinesis.observe("get.limit-over-10000", too_many, EITHER)
    none = kinesis.refusal("get_records", ShardIterator=good, Limit=0)
    kinesis.observe("get.limit-of-0", none, VALIDATION)


@pytest.mark.parametrize("kind", ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"])
def test_sequence_number_of_another_shard(kinesis: Target, stream: str, kind: str) -> None:
    start = kinesis.shards(stream)[SHARDS[2]]["SequenceNumberRange"]["StartingSequenceNumber"]

    seen = kinesis.refusal("get_shard_iterator", StreamName=stream, **at(kind, SHARDS[1], StartingSequenceNumber=start))

    kinesis.observe(f"iterator.number-of-another-shard.{kind}", seen, INVALID)


def test_iterator_in_the_future(kinesis: Target, stream: str) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=1)
    seen = kinesis.refusal("get_shard_iterator", StreamName=stream, **at("AT_TIMESTAMP", Timestamp=ahead))
    kinesis.observe("iterator.future", seen, INVALID)


def test_iterator_of_a_deleted_stream(kinesis: Target) -> None:
    stream = kinesis.create(1)
    iterator = kinesis.iterator(stream, SHARDS[0])
    kinesis.delete(stream)

    kinesis.observe("get.deleted-stream", kinesis.refusal("get_records", ShardIterator=iterator), MISSING)


def test_over_quota(kinesis: Target, new_stream: NewStream) -> None:
    limits = kinesis.client.describe_limits()
    assert limits["ShardLimit"] == SHARD_LIMIT
    room = limits["ShardLimit"] - limits["OpenShardCount"]

    over = kinesis.refusal("create_stream", StreamName="over-quota", ShardCount=room + 1)
    kinesis.observe("create.over-quota", over, LIMIT)
    stream = new_stream(room)
    full = kinesis.client.describe_limits()
    assert full["OpenShardCount"] == full["ShardLimit"]
    one_more = kinesis.refusal("split_shard", StreamName=stream, **split(SHARDS[0], 2))
    kinesis.observe("split.over-quota", one_more, LIMIT)
    double = {"TargetShardCount": 2 * room, "ScalingType": "UNIFORM_SCALING"}
    kinesis.observe("scale.over-quota", kinesis.refusal("update_shard_count", StreamName=stream, **double), LIMIT)
    kinesis.delete(stream)
