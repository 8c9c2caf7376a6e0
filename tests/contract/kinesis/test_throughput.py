"""A shard's write and read limits, with the switch on. The embedded server alone: kinesis-mock has no such limits."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.contract.servers import embedded_kinesis
from tests.contract.target import HASH_SPACE, Target

pytestmark = pytest.mark.contract

EXCEEDED = "ProvisionedThroughputExceededException"
SHARD = "shardId-000000000000"
MEBIBYTE = 1 << 20
RECORDS_PER_SECOND = 1000
READS_PER_SECOND = 5


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with embedded_kinesis(tmp_path_factory.mktemp("limited"), "--limits") as server:
        yield Target(server)


def test_a_batch_over_the_limit_fails_in_part(limited: Target) -> None:
    stream = limited.create(1)
    accepted: list[str] = []
    refused = 0

    start = time.monotonic()
    for _ in range(4):
        batch = [{"PartitionKey": "k", "Data": b"x"}] * 500
        answer = limited.client.put_records(StreamName=stream, Records=batch)  # type: ignore[arg-type]  # a literal's dict, not the TypedDict
        failed = [entry for entry in answer["Records"] if "ErrorCode" in entry]
        assert answer["FailedRecordCount"] == len(failed)
        assert {entry["ErrorCode"] for entry in failed} <= {EXCEEDED}
        assert all(SHARD in entry["ErrorMessage"] and stream in entry["ErrorMessage"] for entry in failed)
        assert not any("SequenceNumber" in entry or "ShardId" in entry for entry in failed)
        accepted += [entry["SequenceNumber"] for entry in answer["Records"] if "SequenceNumber" in entry]
        refused += len(failed)
    elapsed = time.monotonic() - start

    assert refused + len(accepted) == 2000
    assert RECORDS_PER_SECOND <= len(accepted) <= RECORDS_PER_SECOND * (1 + elapsed)
    read = limited.read_to_tip(limited.iterator(stream, SHARD))
    assert [record["SequenceNumber"] for record in read] == accepted


def test_bytes_count_too_and_each_shard_by_itself(limited: Target) -> None:
    stream = limited.create(2)
    low, high = "0", str(HASH_SPACE - 1)
    start = time.monotonic()
    refusals = [
        limited.refusal("put_record", StreamName=stream, PartitionKey="k", ExplicitHashKey=key, Data=b"x" * (MEBIBYTE * 3 // 4))
        for key in (low, low, low, high)
    ]
    elapsed = time.monotonic() - start

    assert refusals[0] is None
    assert refusals[3] is None
    assert refusals[:3].count(None) * 3 / 4 <= 1 + elapsed
    assert set(refusals) <= {None, EXCEEDED}


def test_reads_are_five_a_second(limited: Target) -> None:
    stream = limited.create(1)
    iterator = limited.iterator(stream, SHARD)

    start = time.monotonic()
    refusals = [limited.refusal("get_records", ShardIterator=iterator) for _ in range(20)]
    elapsed = time.monotonic() - start

    assert set(refusals) == {None, EXCEEDED}
    assert READS_PER_SECOND <= refusals.count(None) <= READS_PER_SECOND * (1 + elapsed)


@pytest.mark.parametrize("target", [1, 9])
def test_scaling_is_at_most_double_and_at_least_half(limited: Target, target: int) -> None:
    stream = limited.create(4)

    refusal = limited.refusal("update_shard_count", StreamName=stream, TargetShardCount=target, ScalingType="UNIFORM_SCALING")

    assert refusal in {"LimitExceededException", "InvalidArgumentException"}
