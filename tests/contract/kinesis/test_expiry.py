"""What time takes away: iterators after five minutes, records after the retention. Clocks are moved; nothing waits."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.contract.servers import Server, embedded_kinesis, kinesis_mock, step_clock
from tests.contract.target import Target, until

pytestmark = pytest.mark.contract

SHARD = "shardId-000000000000"
FIVE_MINUTES_MS = 301_000
A_DAY_MS = 24 * 3_600_000


Start = Callable[[int], AbstractContextManager[Server]]


@pytest.fixture(params=["embedded", "kinesis-mock"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Start:
    """Starts a server of the test's own, given how far its clock is to be moved: others' iterators must not age."""
    server = {"embedded": embedded_kinesis, "kinesis-mock": kinesis_mock}[request.param]
    return lambda step_ms: server(tmp_path, clock_step_ms=step_ms)


def test_an_iterator_expires_and_its_position_does_not(start: Start) -> None:
    with start(FIVE_MINUTES_MS) as server:
        kinesis = Target(server)
        stream = kinesis.create(1)
        put = kinesis.client.put_record(StreamName=stream, PartitionKey="k", Data=b"x")
        iterator = kinesis.iterator(stream, SHARD)
        assert kinesis.refusal("get_records", ShardIterator=iterator) is None

        step_clock(server)

        def expired() -> bool:
            return kinesis.refusal("get_records", ShardIterator=iterator) == "ExpiredIteratorException"

        until(expired, "the iterator to expire")
        again = kinesis.iterator(stream, SHARD, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=put["SequenceNumber"])
        assert [record["Data"] for record in kinesis.read(again, 1)] == [b"x"]


def test_records_go_after_the_retention_and_positions_move_to_the_horizon(start: Start) -> None:
    with start(A_DAY_MS) as server:
        kinesis = Target(server)
        stream = kinesis.create(1)
        old = kinesis.client.put_record(StreamName=stream, PartitionKey="k", Data=b"old")

        step_clock(server)

        def stepped() -> bool:
            new = kinesis.client.put_record(StreamName=stream, PartitionKey="k", Data=b"new")
            start = kinesis.iterator(stream, SHARD, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=new["SequenceNumber"])
            (record,) = kinesis.read_to_tip(start)
            return record["ApproximateArrivalTimestamp"] - datetime.now(UTC) > timedelta(hours=23)

        until(stepped, "the clock to move")
        for kind, position in (
            ("TRIM_HORIZON", {}),
            ("AT_SEQUENCE_NUMBER", {"StartingSequenceNumber": old["SequenceNumber"]}),
        ):
            records = kinesis.read_to_tip(kinesis.iterator(stream, SHARD, kind, **position))
            kinesis.observe("retention.old-record-read", b"old" in {record["Data"] for record in records}, False)
            assert records[-1]["Data"] == b"new"
