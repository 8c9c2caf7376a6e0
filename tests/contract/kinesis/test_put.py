"""PutRecord and PutRecords: which shard, which order, which sequence number, which bytes."""

from __future__ import annotations

import pytest

from tests.contract.conftest import NewStream
from tests.contract.target import HASH_SPACE, Target, hash_key, hash_range, home

pytestmark = pytest.mark.contract

MEBIBYTE = 1 << 20
KEYS = ["a", "user-1", "user-2", "ключ", "鍵", " ", "x" * 256, "0", "-"]


@pytest.fixture(scope="module")
def stream(new_stream: NewStream) -> str:
    return new_stream(4)


def test_the_md5_of_the_key_picks_the_shard(kinesis: Target, stream: str) -> None:
    shards = kinesis.open_shards(stream)

    for key in KEYS:
        put = kinesis.client.put_record(StreamName=stream, PartitionKey=key, Data=b"x")
        assert put["ShardId"] == home(shards, hash_key(key)), key


def test_an_explicit_hash_key_wins(kinesis: Target, stream: str) -> None:
    shards = kinesis.open_shards(stream)
    boundaries = [edge for shard in shards for edge in hash_range(shard)]
    assert min(boundaries) == 0
    assert max(boundaries) == HASH_SPACE - 1

    answer = kinesis.client.put_records(
        StreamName=stream,
        Records=[{"PartitionKey": "same", "ExplicitHashKey": str(edge), "Data": b"x"} for edge in boundaries],
    )

    assert answer["FailedRecordCount"] == 0
    assert [entry["ShardId"] for entry in answer["Records"]] == [home(shards, edge) for edge in boundaries]


def test_sequence_numbers(kinesis: Target, stream: str) -> None:
    single = [kinesis.client.put_record(StreamName=stream, PartitionKey="k", Data=b"x") for _ in range(3)]
    batch = kinesis.client.put_records(StreamName=stream, Records=[{"PartitionKey": "k", "Data": b"x"} for _ in range(20)])

    texts = [put["SequenceNumber"] for put in single] + [entry["SequenceNumber"] for entry in batch["Records"]]
    assert {len(text) for text in texts} == {56}
    assert all(text.isdigit() and text.startswith("49") for text in texts)
    numbers = [int(text) for text in texts]
    assert numbers == sorted(set(numbers))
    start = kinesis.shards(stream)[single[0]["ShardId"]]["SequenceNumberRange"]["StartingSequenceNumber"]
    assert int(start) < numbers[0]


def test_a_batch_keeps_its_order_within_each_shard(kinesis: Target, new_stream: NewStream) -> None:
    stream = new_stream(2)
    sent = [(f"user-{index % 7}", f"{index}".encode()) for index in range(100)]

    answer = kinesis.client.put_records(StreamName=stream, Records=[{"PartitionKey": key, "Data": data} for key, data in sent])

    assert answer["FailedRecordCount"] == 0
    for shard in kinesis.open_shards(stream):
        mine = [
            (entry["SequenceNumber"], *record)
            for entry, record in zip(answer["Records"], sent, strict=True)
            if entry["ShardId"] == shard["ShardId"]
        ]
        read = kinesis.read(kinesis.iterator(stream, shard["ShardId"]), len(mine))
        assert [(record["SequenceNumber"], record["PartitionKey"], record["Data"]) for record in read] == mine


@pytest.mark.parametrize(
    "data", [b"", bytes(range(256)), b"\x00" * MEBIBYTE], ids=["empty", "every byte", "1 MiB with its key"]
)
def test_bytes_come_back(kinesis: Target, new_stream: NewStream, data: bytes) -> None:
    stream = new_stream(1)

    # AWS counts the partition key too: the largest record leaves room for its one byte
    sent = data[: MEBIBYTE - 1]
    kinesis.client.put_record(StreamName=stream, PartitionKey="k", Data=sent)

    assert kinesis.read(kinesis.iterator(stream, "shardId-000000000000"), 1)[0]["Data"] == sent


def test_ordering_hint_is_taken(kinesis: Target, stream: str) -> None:
    first = kinesis.client.put_record(StreamName=stream, PartitionKey="k", Data=b"1")
    second = kinesis.client.put_record(
        StreamName=stream, PartitionKey="k", Data=b"2", SequenceNumberForOrdering=first["SequenceNumber"]
    )

    assert int(second["SequenceNumber"]) > int(first["SequenceNumber"])


def test_the_largest_record_is_a_setting(kinesis: Target, new_stream: NewStream) -> None:
    stream = new_stream(1)
    arn = kinesis.client.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]

    kinesis.client.update_max_record_size(StreamARN=arn, MaxRecordSizeInKiB=2048)
    kinesis.until_active(stream)

    summary = kinesis.client.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
    assert summary["MaxRecordSizeInKiB"] == 2048
    data = b"x" * (2 * MEBIBYTE - 1)
    kinesis.client.put_record(StreamName=stream, PartitionKey="k", Data=data)
    too_large = kinesis.refusal("put_record", StreamName=stream, PartitionKey="k", Data=b"x" * (2 * MEBIBYTE + 1))
    assert too_large in {"InvalidArgumentException", "ValidationException"}
    assert kinesis.read(kinesis.iterator(stream, "shardId-000000000000"), 1)[0]["Data"] == data


def test_one_answer_holds_at_most_10_mb(kinesis: Target, new_stream: NewStream) -> None:
    stream = new_stream(1)
    for index in range(12):
        kinesis.client.put_record(StreamName=stream, PartitionKey="k", Data=bytes([index]) * (MEBIBYTE - 1))

    iterator = kinesis.iterator(stream, "shardId-000000000000")
    page = kinesis.client.get_records(ShardIterator=iterator)

    assert len(page["Records"]) in {9, 10}  # AWS says 10 MB, and not which megabyte
    rest = kinesis.read_to_tip(page["NextShardIterator"])
    assert [record["Data"][0] for record in page["Records"] + rest] == list(range(12))
