"""The sink against S3's conditional writes: versions only grow, whoever writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from moto import mock_aws

from clickstream.aws import Clients
from clickstream.consumers.archive import parquet
from clickstream.consumers.archive.columns import Columns
from clickstream.consumers.archive.compaction import Compactor, Plan, plan
from clickstream.consumers.archive.fold import Part
from clickstream.consumers.archive.names import Name
from clickstream.consumers.archive.sink import ArchiveBucket
from clickstream.events import Event, encode
from clickstream.records.position import START
from clickstream.settings import Settings

SHARD = "shardId-000000000000"
BUCKET = "archive"
HOUR = 490_000


def part(events: int, *, chunk: int = 0, complete: bool = False, hour: int = HOUR) -> Part:
    lines = (json.dumps({"ordinal": chunk * 100 + n, "event_id": f"{chunk}.{n}"}).encode() for n in range(events))
    return Part(hour, chunk, tuple(lines), complete)


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        client = Clients(Settings()).s3
        client.create_bucket(Bucket=BUCKET)
        yield client


def events_in(s3: Any, key: str) -> int:
    head = s3.head_object(Bucket=BUCKET, Key=key)
    told = int(head["Metadata"]["events"])
    body = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    import pyarrow as pa
    import pyarrow.parquet as pq

    assert pq.read_metadata(pa.BufferReader(body)).num_rows == told
    return told


KEY = Name(HOUR, SHARD, 0, 0).key


def test_a_file_grows_with_its_chunk(s3: Any) -> None:
    sink = ArchiveBucket(s3, BUCKET, SHARD)
    for count, complete in ((3, False), (5, False), (8, True)):
        sink.write([part(count, complete=complete)], START)
        assert events_in(s3, KEY) == count


def test_a_zombie_cannot_take_events_back(s3: Any) -> None:
    zombie, owner = ArchiveBucket(s3, BUCKET, SHARD), ArchiveBucket(s3, BUCKET, SHARD)
    zombie.write([part(3)], START)
    owner.write([part(6)], START)
    zombie.write([part(4)], START)
    assert events_in(s3, KEY) == 6
    owner.write([part(7, complete=True)], START)
    assert events_in(s3, KEY) == 7


def test_a_new_owner_goes_on_where_the_last_one_stopped(s3: Any) -> None:
    ArchiveBucket(s3, BUCKET, SHARD).write([part(5)], START)
    ArchiveBucket(s3, BUCKET, SHARD).write([part(9)], START)
    assert events_in(s3, KEY) == 9


def test_a_deleted_object_is_written_again(s3: Any) -> None:
    sink = ArchiveBucket(s3, BUCKET, SHARD)
    sink.write([part(5)], START)
    s3.delete_object(Bucket=BUCKET, Key=KEY)
    sink.write([part(6)], START)
    assert events_in(s3, KEY) == 6


def names(s3: Any) -> set[Name]:
    found = {Name.parse(item["Key"]) for item in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])}
    return {name for name in found if name is not None}


def test_compaction_touches_complete_chunks_alone_and_keeps_every_event(s3: Any) -> None:
    sink = ArchiveBucket(s3, BUCKET, SHARD)
    sink.write([part(4, chunk=n, complete=True) for n in range(5)] + [part(2, chunk=5)], START)
    compactor = Compactor(s3, BUCKET)
    compactor.carry_out(plan(compactor.sizes(), ended=()), tell=lambda _: None)
    assert names(s3) == {Name(HOUR, SHARD, 0, 4), Name(HOUR, SHARD, 5, 5)}
    assert events_in(s3, Name(HOUR, SHARD, 0, 4).key) == 20

    # the worker goes on, and a replay writes an old file again: it is passed over, and deleted the next time
    sink.write([part(4, chunk=5, complete=True), part(1, chunk=6)], START)
    ArchiveBucket(s3, BUCKET, SHARD).write([part(4, chunk=2, complete=True)], START)
    again = plan(compactor.sizes(), ended={SHARD})
    assert again.useless == (Name(HOUR, SHARD, 2, 2),)
    compactor.carry_out(again, tell=lambda _: None)
    assert names(s3) == {Name(HOUR, SHARD, 0, 6)}
    body = s3.get_object(Bucket=BUCKET, Key=Name(HOUR, SHARD, 0, 6).key)["Body"].read()
    assert len(duckdb_ids(body)) == len(set(duckdb_ids(body))) == 25
    assert plan(compactor.sizes(), ended={SHARD}) == Plan((), ())


def duckdb_ids(body: bytes) -> list[str]:
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".parquet") as file, duckdb.connect() as connection:
        file.write(body)
        file.flush()
        return [row[0] for row in connection.execute("SELECT event_id FROM read_parquet(?)", [file.name]).fetchall()]


def test_a_large_file_is_left_alone() -> None:
    sizes = {Name(HOUR, SHARD, n, n): 60 for n in range(4)} | {Name(HOUR + 1, SHARD, 9, 9): 1}
    assert [merging.target for merging in plan(sizes, (), target_bytes=130).merges] == [
        Name(HOUR, SHARD, 0, 1),
        Name(HOUR, SHARD, 2, 3),
    ]
    assert plan(sizes, (), target_bytes=100).merges == ()


def test_files_in_which_a_property_has_two_types_stay_as_they_are(s3: Any) -> None:
    class Wish(Event, frozen=True, kw_only=True, tag="wish"):
        size: int

    class Retyped(Event, frozen=True, kw_only=True, tag="wish"):
        size: str

    envelope: dict[str, Any] = {"user_id": "u", "session_id": "s", "occurred_at": 1_764_000_000_000}
    wish, retyped = Wish(event_id="1", size=1, **envelope), Retyped(event_id="2", size="2", **envelope)
    names = [Name(hour, SHARD, chunk, chunk) for hour in (HOUR, HOUR + 1) for chunk in (0, 1)]
    for name, event in zip(names, (wish, retyped, wish, wish), strict=True):
        body = parquet.encode([b'{"ordinal":%d,' % name.first + encode(event)[1:]], Columns([type(event)]))
        s3.put_object(Bucket=BUCKET, Key=name.key, Body=body, Metadata={"events": "1"})
    compactor = Compactor(s3, BUCKET)
    compactor.carry_out(plan(compactor.sizes(), {SHARD}), tell=lambda _: None)
    assert sorted(compactor.sizes()) == [*names[:2], Name(HOUR + 1, SHARD, 0, 1)]
