"""GetShardIterator and GetRecords: every place to start from, and how far behind the tip an answer is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.contract.conftest import NewStream
from tests.contract.target import Target

if TYPE_CHECKING:
    from mypy_boto3_kinesis.type_defs import RecordTypeDef

pytestmark = pytest.mark.contract

SHARD = "shardId-000000000000"
GAP_SECONDS = 0.02


@dataclass(frozen=True)
class Written:
    """A one-shard stream and its records, each at least ``GAP_SECONDS`` after the one before it."""

    stream: str
    records: Sequence[RecordTypeDef]

    @property
    def sequence_numbers(self) -> list[str]:
        return [record["SequenceNumber"] for record in self.records]


@pytest.fixture(scope="module")
def written(kinesis: Target, new_stream: NewStream) -> Written:
    stream = new_stream(1)
    for index in range(5):
        kinesis.client.put_record(StreamName=stream, PartitionKey="k", Data=str(index).encode())
        time.sleep(GAP_SECONDS)  # not a wait for something: arrival times must differ
    records = kinesis.read(kinesis.iterator(stream, SHARD), 5)
    assert [record["Data"] for record in records] == [b"0", b"1", b"2", b"3", b"4"]
    return Written(stream, records)


@pytest.mark.parametrize("index", range(5))
def test_at_and_after_a_sequence_number(kinesis: Target, written: Written, index: int) -> None:
    start = {"StartingSequenceNumber": written.sequence_numbers[index]}
    at = kinesis.iterator(written.stream, SHARD, "AT_SEQUENCE_NUMBER", **start)
    after = kinesis.iterator(written.stream, SHARD, "AFTER_SEQUENCE_NUMBER", **start)

    numbers = [record["SequenceNumber"] for record in kinesis.read(at, 5 - index)]
    assert numbers == written.sequence_numbers[index:]
    numbers = [record["SequenceNumber"] for record in kinesis.read(after, 4 - index)]
    assert numbers == written.sequence_numbers[index + 1 :]


@pytest.mark.parametrize("kind", ["AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"])
def test_the_shards_own_starting_number_is_its_beginning(kinesis: Target, written: Written, kind: str) -> None:
    start = kinesis.shards(written.stream)[SHARD]["SequenceNumberRange"]["StartingSequenceNumber"]

    iterator = kinesis.iterator(written.stream, SHARD, kind, StartingSequenceNumber=start)

    assert len(kinesis.read(iterator, 5)) == 5


@pytest.mark.parametrize("index", range(5))
def test_at_a_timestamp(kinesis: Target, written: Written, index: int) -> None:
    arrival = written.records[index]["ApproximateArrivalTimestamp"]
    at = kinesis.iterator(written.stream, SHARD, "AT_TIMESTAMP", Timestamp=arrival)
    past = kinesis.iterator(written.stream, SHARD, "AT_TIMESTAMP", Timestamp=arrival + timedelta(milliseconds=5))

    numbers = [record["SequenceNumber"] for record in kinesis.read(at, 5 - index)]
    assert numbers == written.sequence_numbers[index:]
    numbers = [record["SequenceNumber"] for record in kinesis.read(past, 4 - index)]
    assert numbers == written.sequence_numbers[index + 1 :]


def test_a_timestamp_before_the_stream_is_its_horizon(kinesis: Target, written: Written) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=30)

    iterator = kinesis.iterator(written.stream, SHARD, "AT_TIMESTAMP", Timestamp=long_ago)

    assert len(kinesis.read(iterator, 5)) == 5


def test_arrival_times_are_now_to_the_millisecond(kinesis: Target, written: Written) -> None:
    arrivals = [record["ApproximateArrivalTimestamp"] for record in written.records]

    assert arrivals == sorted(arrivals)
    assert all(abs(datetime.now(UTC) - arrival) < timedelta(minutes=1) for arrival in arrivals)
    # five whole seconds by chance: once in 10^15 runs
    assert any(arrival.microsecond for arrival in arrivals)
    assert all(arrival.microsecond % 1000 == 0 for arrival in arrivals)


def test_latest_sees_only_what_comes_later(kinesis: Target, new_stream: NewStream) -> None:
    stream = new_stream(1)
    kinesis.client.put_record(StreamName=stream, PartitionKey="k", Data=b"before")
    latest = kinesis.iterator(stream, SHARD, "LATEST")
    kinesis.client.put_record(StreamName=stream, PartitionKey="k", Data=b"after")

    assert [record["Data"] for record in kinesis.read(latest, 1)] == [b"after"]


def test_pages_follow_one_another_and_can_be_read_again(kinesis: Target, written: Written) -> None:
    iterator = kinesis.iterator(written.stream, SHARD)

    first = kinesis.client.get_records(ShardIterator=iterator, Limit=2)
    again = kinesis.client.get_records(ShardIterator=iterator, Limit=2)
    second = kinesis.client.get_records(ShardIterator=first["NextShardIterator"], Limit=2)

    numbers = [[record["SequenceNumber"] for record in page["Records"]] for page in (first, again, second)]
    assert numbers == [written.sequence_numbers[:2], written.sequence_numbers[:2], written.sequence_numbers[2:4]]


def test_millis_behind_latest(kinesis: Target, written: Written) -> None:
    iterator = kinesis.iterator(written.stream, SHARD)

    first = kinesis.client.get_records(ShardIterator=iterator, Limit=1)
    tip = kinesis.client.get_records(ShardIterator=first["NextShardIterator"])

    assert first["MillisBehindLatest"] > 0
    assert tip["MillisBehindLatest"] == 0


def test_an_open_shard_never_ends(kinesis: Target, written: Written) -> None:
    iterator = kinesis.iterator(written.stream, SHARD, "LATEST")

    for _ in range(3):
        page = kinesis.client.get_records(ShardIterator=iterator)
        assert page["Records"] == []
        assert page.get("ChildShards") is None
        iterator = page["NextShardIterator"]
