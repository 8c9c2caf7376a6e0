"""A shard iterator lives for five minutes. Each server's clock is moved; nothing waits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.servers import Server, embedded_kinesis, kinesis_mock, step_clock
from tests.contract.target import Target, until

pytestmark = pytest.mark.contract

SHARD = "shardId-000000000000"
STEP_MS = 301_000


@pytest.fixture(scope="module", params=["embedded", "kinesis-mock"])
def stepped(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own: others' iterators must not age with it."""
    start = {"embedded": embedded_kinesis, "kinesis-mock": kinesis_mock}[request.param]
    with start(tmp_path_factory.mktemp("stepped"), clock_step_ms=STEP_MS) as server:
        yield server


def test_an_iterator_expires_and_its_position_does_not(stepped: Server) -> None:
    kinesis = Target(stepped)
    stream = kinesis.create(1)
    put = kinesis.client.put_record(StreamName=stream, PartitionKey="k", Data=b"x")
    iterator = kinesis.iterator(stream, SHARD)
    assert kinesis.refusal("get_records", ShardIterator=iterator) is None

    step_clock(stepped)

    def expired() -> bool:
        return kinesis.refusal("get_records", ShardIterator=iterator) == "ExpiredIteratorException"

    until(expired, "the iterator to expire")
    again = kinesis.iterator(stream, SHARD, "AT_SEQUENCE_NUMBER", StartingSequenceNumber=put["SequenceNumber"])
    assert [record["Data"] for record in kinesis.read(again, 1)] == [b"x"]
