"""One shard by GetRecords: what a refused read does, where reading goes on after an expired iterator, and when it ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from time import monotonic

import boto3
import pytest
from botocore.stub import Stubber

from clickstream.errors import Forbidden, RetryLater
from clickstream.records.reading import READ_INTERVAL_S, TRIM_HORIZON, Batch, ShardReader
from clickstream.records.routing import WHOLE_SPACE, Shard

SHARD = Shard(shard_id="shardId-000000000000", hash_range=WHOLE_SPACE)


@pytest.fixture
def stubbed() -> Iterator[tuple[ShardReader, Stubber]]:
    client = boto3.client("kinesis", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stubber:
        yield ShardReader(client, "clicks", SHARD, TRIM_HORIZON), stubber
        stubber.assert_no_pending_responses()


def expect_iterator(stubber: Stubber, iterator: str, **position: str) -> None:
    wanted = {"StreamName": "clicks", "ShardId": SHARD.shard_id, **position}
    stubber.add_response("get_shard_iterator", {"ShardIterator": iterator}, wanted)


def expect_read(stubber: Stubber, iterator: str, following: str | None, *sequence_numbers: str, behind_ms: int = 0) -> None:
    records = [
        {
            "Data": b"x",
            "PartitionKey": "u",
            "SequenceNumber": number,
            "ApproximateArrivalTimestamp": datetime(2026, 11, 30, tzinfo=UTC),
        }
        for number in sequence_numbers
    ]
    answer = {"Records": records, "MillisBehindLatest": behind_ms} | ({"NextShardIterator": following} if following else {})
    stubber.add_response("get_records", answer, {"ShardIterator": iterator, "Limit": 10_000})


def numbers(batch: Batch | None) -> list[str]:
    assert batch is not None
    return [record["SequenceNumber"] for record in batch.records]


def test_reads_on_and_ends_with_the_shard(stubbed: tuple[ShardReader, Stubber]) -> None:
    reader, stubber = stubbed
    expect_iterator(stubber, "one", ShardIteratorType="TRIM_HORIZON")
    expect_read(stubber, "one", "two", "1", "2", behind_ms=5)
    expect_read(stubber, "two", None, "3")

    first = reader.read()
    assert numbers(first) == ["1", "2"]
    assert first is not None
    assert first.behind_ms == 5
    assert not reader.ended
    assert numbers(reader.read()) == ["3"]
    assert reader.ended


def test_a_throttled_read_is_made_again_a_second_later(stubbed: tuple[ShardReader, Stubber]) -> None:
    reader, stubber = stubbed
    expect_iterator(stubber, "one", ShardIteratorType="TRIM_HORIZON")
    stubber.add_client_error("get_records", "ProvisionedThroughputExceededException")
    expect_read(stubber, "one", "two", "1")

    assert reader.read() is None
    assert reader.due_at > monotonic() + READ_INTERVAL_S
    assert numbers(reader.read()) == ["1"]
    assert reader.due_at <= monotonic() + READ_INTERVAL_S


def test_after_an_expired_iterator_it_goes_on_behind_the_last_record(stubbed: tuple[ShardReader, Stubber]) -> None:
    reader, stubber = stubbed
    expect_iterator(stubber, "one", ShardIteratorType="TRIM_HORIZON")
    expect_read(stubber, "one", "two", "1", "2")
    stubber.add_client_error("get_records", "ExpiredIteratorException")
    expect_iterator(stubber, "three", ShardIteratorType="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber="2")
    expect_read(stubber, "three", "four", "3")

    assert numbers(reader.read()) == ["1", "2"]
    assert reader.read() is None
    assert numbers(reader.read()) == ["3"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [("AccessDeniedException", Forbidden), ("InternalFailure", RetryLater), ("InvalidArgumentException", RetryLater)],
)
def test_other_refusals_are_raised(stubbed: tuple[ShardReader, Stubber], code: str, kind: type[Exception]) -> None:
    reader, stubber = stubbed
    stubber.add_client_error("get_shard_iterator", code)
    with pytest.raises(kind):
        reader.read()
