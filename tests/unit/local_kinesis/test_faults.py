from __future__ import annotations

import pytest

from clickstream.infra.local.kinesis.model.errors import (
    InternalFailureException,
    KinesisError,
    ProvisionedThroughputExceededException,
)
from clickstream.infra.local.kinesis.model.faults import Delay, Fail, Faults, Throttle
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.records import PutEntry, StartingPosition
from clickstream.infra.local.kinesis.operations.reading import get_records, get_shard_iterator
from clickstream.infra.local.kinesis.operations.writing import put_records

FIRST = "shardId-000000000000"


def stored(kinesis: Kinesis, now: int) -> int:
    iterator = get_shard_iterator(kinesis, "clicks", FIRST, StartingPosition("TRIM_HORIZON"), now)
    return len(get_records(kinesis, iterator, now).records)


def put(kinesis: Kinesis, now: int) -> None:
    put_records(kinesis, "clicks", [PutEntry("k", b"x", "0")], now)


def test_fails_the_next_calls_of_one_operation(kinesis: Kinesis, now: int) -> None:
    kinesis.faults.inject(Fail(operation="PutRecords", count=2))
    for _ in range(2):
        with pytest.raises(InternalFailureException):
            put(kinesis, now)
    put(kinesis, now)
    assert stored(kinesis, now) == 1


def test_a_failure_after_the_fact_leaves_the_effect(kinesis: Kinesis, now: int) -> None:
    kinesis.faults.inject(Fail(operation="*", error="ServiceUnavailableException", when="after"))
    with pytest.raises(KinesisError):
        put(kinesis, now)
    assert stored(kinesis, now) == 1


def test_throttles_one_shard_for_so_many_records(kinesis: Kinesis, now: int) -> None:
    kinesis.faults.inject(Throttle(shard_id=FIRST, count=2))
    entries = [PutEntry("k", b"x", "0"), PutEntry("k", b"x", str(2**128 - 1))] * 2
    result = put_records(kinesis, "clicks", entries, now)
    assert [one.error_code is None for one in result.records] == [False, True, False, True]
    put(kinesis, now)
    assert stored(kinesis, now) == 1


def test_throttles_reads(kinesis: Kinesis, now: int) -> None:
    iterator = get_shard_iterator(kinesis, "clicks", FIRST, StartingPosition("LATEST"), now)
    kinesis.faults.inject(Throttle(shard_id=FIRST, stream="clicks", reads=True, count=1))
    with pytest.raises(ProvisionedThroughputExceededException):
        get_records(kinesis, iterator, now)
    get_records(kinesis, iterator, now)


def test_delays_add_up_and_are_used_up() -> None:
    faults = Faults()
    faults.inject(Delay(operation="GetRecords", delay_ms=100, count=2))
    faults.inject(Delay(operation="*", delay_ms=20))
    assert [faults.delay_ms("GetRecords") for _ in range(3)] == [120, 100, 0]
    assert faults.active == []


def test_chance_comes_from_the_seed() -> None:
    def hits(seed: int) -> list[int]:
        faults = Faults(seed)
        faults.inject(Delay(operation="*", delay_ms=1, count=None, rate=0.3))
        return [faults.delay_ms("PutRecords") for _ in range(200)]

    assert hits(7) == hits(7)
    assert hits(7) != hits(8)
    assert 30 < sum(hits(7)) < 90


def test_an_unknown_error_type_is_refused() -> None:
    with pytest.raises(ValueError, match="NoSuchThing"):
        Faults().inject(Fail(operation="*", error="NoSuchThing"))
