"""Split, merge and scale: the shard graph, and that every record stays reachable through it, in order."""

from __future__ import annotations

from collections import defaultdict

import pytest

from tests.contract.conftest import NewStream
from tests.contract.target import HASH_SPACE, Target, hash_key, hash_range, home, is_open, partitions_the_hash_space

pytestmark = pytest.mark.contract

FIRST = "shardId-000000000000"
MIDDLE = HASH_SPACE // 2


def put(kinesis: Target, stream: str, *texts: str) -> list[str]:
    """One record per text, keyed by it; the shards they went to."""
    answer = kinesis.client.put_records(
        StreamName=stream, Records=[{"PartitionKey": text, "Data": text.encode()} for text in texts]
    )
    assert answer["FailedRecordCount"] == 0
    return [entry["ShardId"] for entry in answer["Records"]]


def read_to_the_end(kinesis: Target, stream: str, shard: str) -> list[str]:
    records, _ = kinesis.drain(kinesis.iterator(stream, shard))
    return [record["Data"].decode() for record in records]


def test_split(kinesis: Target, new_stream: NewStream) -> None:
    stream = new_stream(1)
    put(kinesis, stream, "a", "b", "c")
    latest = kinesis.iterator(stream, FIRST, "LATEST")

    with kinesis.resharding(stream):
        kinesis.client.split_shard(StreamName=stream, ShardToSplit=FIRST, NewStartingHashKey=str(MIDDLE))

    shards = kinesis.shards(stream)
    parent, *children = shards.values()
    assert [child["ShardId"] for child in children] == ["shardId-000000000001", "shardId-000000000002"]
    assert [hash_range(child) for child in children] == [(0, MIDDLE - 1), (MIDDLE, HASH_SPACE - 1)]
    assert [child["ParentShardId"] for child in children] == [FIRST, FIRST]
    assert not any("AdjacentParentShardId" in child for child in children)
    assert not is_open(parent)
    assert all(is_open(child) for child in children)

    # the parent stays readable and ends by naming its children
    records, last = kinesis.drain(kinesis.iterator(stream, FIRST))
    assert [record["Data"] for record in records] == [b"a", b"b", b"c"]
    assert last["MillisBehindLatest"] == 0
    assert [
        (child["ShardId"], child["ParentShards"], int(child["HashKeyRange"]["StartingHashKey"]))
        for child in last["ChildShards"]
    ] == [("shardId-000000000001", [FIRST], 0), ("shardId-000000000002", [FIRST], MIDDLE)]
    # an iterator from before the split, at the tip, ends too
    assert kinesis.drain(latest)[0] == []

    # new records go to the children, with greater sequence numbers
    assert put(kinesis, stream, "d", "e", "f") == [home(children, hash_key(text)) for text in "def"]
    for child in children:
        start = child["SequenceNumberRange"]["StartingSequenceNumber"]
        assert int(start) > max(int(record["SequenceNumber"]) for record in records)
        mine = [text for text in "def" if home(children, hash_key(text)) == child["ShardId"]]
        read = kinesis.read(kinesis.iterator(stream, child["ShardId"]), len(mine))
        assert [record["Data"].decode() for record in read] == mine
        assert all(int(record["SequenceNumber"]) > int(start) for record in read)


def test_a_closed_shards_ending_number_bounds_its_records(kinesis: Target, new_stream: NewStream) -> None:
    stream = new_stream(1)
    put(kinesis, stream, "a", "b")
    with kinesis.resharding(stream):
        kinesis.client.split_shard(StreamName=stream, ShardToSplit=FIRST, NewStartingHashKey=str(MIDDLE))

    parent, *children = kinesis.shards(stream).values()
    ending = int(parent["SequenceNumberRange"]["EndingSequenceNumber"])
    starts = [int(child["SequenceNumberRange"]["StartingSequenceNumber"]) for child in children]
    records, _ = kinesis.drain(kinesis.iterator(stream, FIRST))
    last = max(int(record["SequenceNumber"]) for record in records)
    kinesis.observe("closed-shard.ending-number", last <= ending < min(starts), True)


def test_merge(kinesis: Target, new_stream: NewStream) -> None:
    stream = new_stream(2)
    low, high = kinesis.open_shards(stream)
    homes = put(kinesis, stream, *"abcdef")

    with kinesis.resharding(stream):
        kinesis.client.merge_shards(StreamName=stream, ShardToMerge=low["ShardId"], AdjacentShardToMerge=high["ShardId"])

    (child,) = kinesis.open_shards(stream)
    assert hash_range(child) == (0, HASH_SPACE - 1)
    assert (child["ParentShardId"], child["AdjacentParentShardId"]) == (low["ShardId"], high["ShardId"])
    for parent in (low, high):
        records, last = kinesis.drain(kinesis.iterator(stream, parent["ShardId"]))
        mine = [text for text, shard in zip("abcdef", homes, strict=True) if shard == parent["ShardId"]]
        assert [record["Data"].decode() for record in records] == mine
        (named,) = last["ChildShards"]
        assert named["ShardId"] == child["ShardId"]
        assert set(named["ParentShards"]) == {low["ShardId"], high["ShardId"]}
        last_number = max(int(record["SequenceNumber"]) for record in records)
        start = int(child["SequenceNumberRange"]["StartingSequenceNumber"])
        kinesis.observe("merge.child-starts-after-its-parents", last_number < start, True)
    assert put(kinesis, stream, "g") == [child["ShardId"]]


@pytest.mark.parametrize("kind", ["LATEST", "AFTER_SEQUENCE_NUMBER"])
def test_a_closed_shard_read_from_its_tip_ends_at_once(kinesis: Target, new_stream: NewStream, kind: str) -> None:
    stream = new_stream(1)
    number = kinesis.client.put_record(StreamName=stream, PartitionKey="k", Data=b"x")["SequenceNumber"]
    with kinesis.resharding(stream):
        kinesis.client.split_shard(StreamName=stream, ShardToSplit=FIRST, NewStartingHashKey=str(MIDDLE))

    start = {"StartingSequenceNumber": number} if kind == "AFTER_SEQUENCE_NUMBER" else {}
    records, last = kinesis.drain(kinesis.iterator(stream, FIRST, kind, **start))

    assert records == []
    assert len(last["ChildShards"]) == 2


def test_scale_4_to_8_to_3(kinesis: Target, new_stream: NewStream) -> None:
    stream = new_stream(4)
    keys = [f"user-{index}" for index in range(24)]
    sent: dict[str, list[str]] = {key: [] for key in keys}

    def put_round(number: int) -> None:
        records = [{"PartitionKey": key, "Data": f"{number}".encode()} for key in keys]
        assert kinesis.client.put_records(StreamName=stream, Records=records)["FailedRecordCount"] == 0  # type: ignore[arg-type]  # a literal's dict, not the TypedDict
        for key in keys:
            sent[key].append(str(number))

    put_round(0)
    for number, target in enumerate([8, 4, 3], start=1):
        before = len(kinesis.open_shards(stream))
        with kinesis.resharding(stream):
            answer = kinesis.client.update_shard_count(
                StreamName=stream, TargetShardCount=target, ScalingType="UNIFORM_SCALING"
            )
        assert (answer["StreamName"], answer["TargetShardCount"]) == (stream, target)
        kinesis.observe(f"scale.{before}-to-{target}.current-count", answer["CurrentShardCount"], before)
        shards = kinesis.open_shards(stream)
        assert len(shards) == target
        assert partitions_the_hash_space(shards)
        put_round(number)

    assert_parents_are_real(kinesis, stream)
    received: dict[str, list[str]] = defaultdict(list)
    for shard in kinesis.shards(stream).values():  # ids ascend, so parents come before their children
        start = kinesis.iterator(stream, shard["ShardId"])
        records = kinesis.read_to_tip(start) if is_open(shard) else kinesis.drain(start)[0]
        for record in records:
            received[record["PartitionKey"]].append(record["Data"].decode())
    assert received == sent


def assert_parents_are_real(kinesis: Target, stream: str) -> None:
    """Every child overlaps its parents' ranges, and every closed shard names exactly its children at its end."""
    shards = kinesis.shards(stream)
    children: dict[str, set[str]] = defaultdict(set)
    for shard in shards.values():
        for role in ("ParentShardId", "AdjacentParentShardId"):
            if parent := shard.get(role):
                children[str(parent)].add(shard["ShardId"])
                low, high = hash_range(shards[str(parent)])
                first, last = hash_range(shard)
                assert first <= high
                assert low <= last
    for shard in shards.values():
        if not is_open(shard):
            _, end = kinesis.drain(kinesis.iterator(stream, shard["ShardId"]))
            assert {child["ShardId"] for child in end["ChildShards"]} == children[shard["ShardId"]]
            assert children[shard["ShardId"]]
