"""PutRecord, PutRecords, GetShardIterator and GetRecords on the model."""

from __future__ import annotations

import pytest

from clickstream.infra.local.kinesis.model.errors import (
    ExpiredIteratorException,
    InvalidArgumentException,
    ProvisionedThroughputExceededException,
    ResourceNotFoundException,
    ValidationException,
)
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.records import PutEntry, StartingPosition
from clickstream.infra.local.kinesis.model.settings import ModelSettings
from clickstream.infra.local.kinesis.model.shards import HASH_SPACE
from clickstream.infra.local.kinesis.operations.reading import get_records, get_shard_iterator
from clickstream.infra.local.kinesis.operations.settings import increase_stream_retention_period, update_max_record_size
from clickstream.infra.local.kinesis.operations.streams import create_stream, delete_stream
from clickstream.infra.local.kinesis.operations.writing import put_record, put_records

FIRST, SECOND = "shardId-000000000000", "shardId-000000000001"
LOW_KEY, HIGH_KEY = "0", str(HASH_SPACE - 1)
HOUR = 3_600_000


def put(kinesis: Kinesis, now: int, *texts: str, key: str = LOW_KEY) -> list[str]:
    result = put_records(kinesis, "clicks", [PutEntry("k", text.encode(), key) for text in texts], now)
    assert result.failed_record_count == 0
    return [one.sequence_number or "" for one in result.records]


def read(kinesis: Kinesis, now: int, position: StartingPosition, shard: str = FIRST) -> list[str]:
    iterator = get_shard_iterator(kinesis, "clicks", shard, position, now)
    return [record.data.decode() for record in get_records(kinesis, iterator, now).records]


def test_the_hash_key_decides_the_shard(kinesis: Kinesis, now: int) -> None:
    assert put_record(kinesis, "clicks", PutEntry("k", b"", LOW_KEY), now).shard_id == FIRST
    assert put_record(kinesis, "clicks", PutEntry("k", b"", HIGH_KEY), now).shard_id == SECOND
    # MD5("a") = 0cc1…, MD5("b") = 92eb…
    assert put_record(kinesis, "clicks", PutEntry("a", b""), now).shard_id == FIRST
    assert put_record(kinesis, "clicks", PutEntry("b", b""), now).shard_id == SECOND


def test_every_kind_of_iterator_starts_where_it_says(kinesis: Kinesis, now: int) -> None:
    put(kinesis, now, "a")
    _, c = put(kinesis, now + 10, "b", "c")
    put(kinesis, now + 20, "d")
    assert read(kinesis, now + 30, StartingPosition("TRIM_HORIZON")) == ["a", "b", "c", "d"]
    assert read(kinesis, now + 30, StartingPosition("LATEST")) == []
    assert read(kinesis, now + 30, StartingPosition("AT_SEQUENCE_NUMBER", c)) == ["c", "d"]
    assert read(kinesis, now + 30, StartingPosition("AFTER_SEQUENCE_NUMBER", c)) == ["d"]
    assert read(kinesis, now + 30, StartingPosition("AT_TIMESTAMP", timestamp_ms=now + 1)) == ["b", "c", "d"]
    assert read(kinesis, now + 30, StartingPosition("AT_TIMESTAMP", timestamp_ms=now + 21)) == []


def test_the_next_iterator_goes_on_without_gap_or_repeat(kinesis: Kinesis, now: int) -> None:
    put(kinesis, now, *"abcde")
    iterator: str | None = get_shard_iterator(kinesis, "clicks", FIRST, StartingPosition("TRIM_HORIZON"), now)
    seen = []
    for _ in range(4):
        result = get_records(kinesis, iterator, now, limit=2)
        seen.append("".join(record.data.decode() for record in result.records))
        iterator = result.next_iterator
    assert seen == ["ab", "cd", "e", ""]
    put(kinesis, now, "f")
    assert [record.data for record in get_records(kinesis, iterator, now).records] == [b"f"]


def test_millis_behind_latest_is_the_wait_of_the_next_record(kinesis: Kinesis, now: int) -> None:
    put(kinesis, now, "a")
    put(kinesis, now + 100, "b")
    iterator = get_shard_iterator(kinesis, "clicks", FIRST, StartingPosition("TRIM_HORIZON"), now)
    first = get_records(kinesis, iterator, now + 500, limit=1)
    assert first.millis_behind_latest == 400
    assert get_records(kinesis, first.next_iterator, now + 500).millis_behind_latest == 0


def test_an_iterator_lives_five_minutes(kinesis: Kinesis, now: int) -> None:
    iterator = get_shard_iterator(kinesis, "clicks", FIRST, StartingPosition("LATEST"), now)
    get_records(kinesis, iterator, now + 300_000)
    with pytest.raises(ExpiredIteratorException, match="tolerated delay of 300000 milliseconds"):
        get_records(kinesis, iterator, now + 300_001)


@pytest.mark.parametrize("iterator", ["zzz", "AAAA", "x" * 300, "ÄÖ"])
def test_refuses_an_iterator_that_it_did_not_make(kinesis: Kinesis, now: int, iterator: str) -> None:
    with pytest.raises(InvalidArgumentException, match="Invalid ShardIterator"):
        get_records(kinesis, iterator, now)


def test_an_iterator_does_not_reach_a_later_stream_of_the_same_name(kinesis: Kinesis, now: int) -> None:
    iterator = get_shard_iterator(kinesis, "clicks", FIRST, StartingPosition("LATEST"), now)
    delete_stream(kinesis, "clicks", now + 1)
    create_stream(kinesis, "clicks", now + 2, shard_count=2)
    with pytest.raises(ResourceNotFoundException):
        get_records(kinesis, iterator, now + 3)


def test_records_go_after_the_retention_period(kinesis: Kinesis, now: int) -> None:
    put(kinesis, now, "a")
    put(kinesis, now + HOUR, "b")
    later = now + 24 * HOUR + 1
    assert read(kinesis, later, StartingPosition("TRIM_HORIZON")) == ["b"]
    increase_stream_retention_period(kinesis, "clicks", 48, now)
    assert read(kinesis, now + 30 * HOUR, StartingPosition("TRIM_HORIZON")) == ["b"]


def test_retention_by_bytes_keeps_the_newest(now: int) -> None:
    kinesis = Kinesis(ModelSettings(retention_bytes=30))
    create_stream(kinesis, "clicks", now, shard_count=1)
    for letter in "abcde":
        put(kinesis, now, letter * 9)
    assert read(kinesis, now, StartingPosition("TRIM_HORIZON")) == ["c" * 9, "d" * 9, "e" * 9]


def test_a_number_of_another_shard_is_refused(kinesis: Kinesis, now: int) -> None:
    (number,) = put(kinesis, now, "a", key=HIGH_KEY)
    with pytest.raises(InvalidArgumentException, match="It encodes shardId-000000000001"):
        read(kinesis, now, StartingPosition("AT_SEQUENCE_NUMBER", number))


def test_a_time_to_come_is_refused(kinesis: Kinesis, now: int) -> None:
    with pytest.raises(InvalidArgumentException, match="cannot be greater than the currentTimestampInMillis"):
        read(kinesis, now, StartingPosition("AT_TIMESTAMP", timestamp_ms=now + 1))


@pytest.mark.parametrize(
    ("entry", "error", "text"),
    [
        (PutEntry("", b"x"), ValidationException, "greater than or equal to 1"),
        (PutEntry("k" * 257, b"x"), ValidationException, "less than or equal to 256"),
        (PutEntry(None, b"x"), ValidationException, "must not be null"),
        (PutEntry("k", None), ValidationException, "must not be null"),
        (PutEntry("k", b"x", str(HASH_SPACE)), InvalidArgumentException, "range"),
        (PutEntry("k", b"x", "0x1"), ValidationException, "pattern"),
        (PutEntry("k", bytes(1024 * 1024)), InvalidArgumentException, "max record size"),
        (PutEntry("k", bytes(10 * 1024 * 1024 + 1)), ValidationException, "less than or equal to 10485760"),
    ],
)
def test_a_bad_record_is_refused_and_nothing_of_its_call_is_stored(
    kinesis: Kinesis, now: int, entry: PutEntry, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        put_record(kinesis, "clicks", entry, now)
    with pytest.raises(error, match=text):
        put_records(kinesis, "clicks", [PutEntry("good", b"good", LOW_KEY), entry], now)
    assert read(kinesis, now, StartingPosition("TRIM_HORIZON")) == []


def test_a_call_of_too_many_records_or_bytes_is_refused(kinesis: Kinesis, now: int) -> None:
    with pytest.raises(ValidationException):
        put_records(kinesis, "clicks", [], now)
    with pytest.raises(ValidationException):
        put_records(kinesis, "clicks", [PutEntry("k", b"")] * 501, now)
    with pytest.raises(InvalidArgumentException, match="10 MB"):
        put_records(kinesis, "clicks", [PutEntry("k", bytes(1_000_000))] * 11, now)


def test_ten_mebibyte_records_by_setting(kinesis: Kinesis, now: int) -> None:
    update_max_record_size(kinesis, "clicks", 10240, now)
    put_record(kinesis, "clicks", PutEntry("k", bytes(10 * 1024 * 1024 - 1)), now)


def test_write_limits_throttle_records_one_by_one(now: int) -> None:
    kinesis = Kinesis(ModelSettings(enforce_limits=True))
    create_stream(kinesis, "clicks", now, shard_count=2)
    full = [PutEntry("k", b"x", LOW_KEY)] * 500
    assert put_records(kinesis, "clicks", full, now).failed_record_count == 0
    assert put_records(kinesis, "clicks", full, now).failed_record_count == 0
    refused = put_records(kinesis, "clicks", [PutEntry("k", b"x", LOW_KEY), PutEntry("k", b"x", HIGH_KEY)], now)
    assert [one.error_code for one in refused.records] == ["ProvisionedThroughputExceededException", None]
    with pytest.raises(ProvisionedThroughputExceededException, match=FIRST):
        put_record(kinesis, "clicks", PutEntry("k", b"x", LOW_KEY), now)
    assert put_records(kinesis, "clicks", full, now + 250).failed_record_count == 250


def test_read_limits_allow_five_calls_a_second_and_charge_what_was_read(now: int) -> None:
    kinesis = Kinesis(ModelSettings(enforce_limits=True))
    create_stream(kinesis, "clicks", now, shard_count=1)
    iterator = get_shard_iterator(kinesis, "clicks", FIRST, StartingPosition("TRIM_HORIZON"), now)
    for _ in range(5):
        get_records(kinesis, iterator, now)
    with pytest.raises(ProvisionedThroughputExceededException):
        get_records(kinesis, iterator, now)
    for second in range(10):
        put_record(kinesis, "clicks", PutEntry("k", bytes(1_000_000)), now + 1000 * second)
    late = now + 60_000
    iterator = get_shard_iterator(kinesis, "clicks", FIRST, StartingPosition("TRIM_HORIZON"), late)
    assert len(get_records(kinesis, iterator, late).records) == 10
    with pytest.raises(ProvisionedThroughputExceededException):
        get_records(kinesis, iterator, late + 3500)
    get_records(kinesis, iterator, late + 4000)
