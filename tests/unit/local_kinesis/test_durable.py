"""The durable journal: what was flushed is there again, whatever the end of the file looks like."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from clickstream.errors import UserMistake
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.records import PutEntry, StartingPosition
from clickstream.infra.local.kinesis.model.settings import ModelSettings
from clickstream.infra.local.kinesis.operations.consumers import describe_stream_consumer, register_stream_consumer
from clickstream.infra.local.kinesis.operations.reading import get_records, get_shard_iterator
from clickstream.infra.local.kinesis.operations.resharding import split_shard
from clickstream.infra.local.kinesis.operations.settings import increase_stream_retention_period
from clickstream.infra.local.kinesis.operations.streams import (
    create_stream,
    delete_stream,
    describe_stream_summary,
    list_streams,
)
from clickstream.infra.local.kinesis.operations.tags import list_tags_for_stream
from clickstream.infra.local.kinesis.operations.writing import put_records
from clickstream.infra.local.kinesis.regions import Regions
from clickstream.infra.local.kinesis.storage.durable import RESTART_GAP, DurableJournal
from clickstream.infra.local.kinesis.storage.segments import Damaged, Segment

FIRST = "shardId-000000000000"
REGION = "eu-central-1"


class Server:
    """A journal and its models, opened on a folder."""

    def __init__(self, journal: DurableJournal, now: int, retention_bytes: int | None) -> None:
        self.journal = journal
        self.regions = Regions(ModelSettings(retention_bytes=retention_bytes), self.journal)
        self.restored = self.journal.restore(self.regions, now)
        self.kinesis: Kinesis = self.regions.kinesis(REGION)
        self.now = now

    def put(self, *texts: str) -> list[str]:
        result = put_records(self.kinesis, "clicks", [PutEntry("k", text.encode(), "0") for text in texts], self.now)
        return [one.sequence_number or "" for one in result.records]

    def read(self, shard: str = FIRST) -> list[str]:
        iterator = get_shard_iterator(self.kinesis, "clicks", shard, StartingPosition("TRIM_HORIZON"), self.now)
        return [record.data.decode() for record in get_records(self.kinesis, iterator, self.now).records]

    def flush(self) -> None:
        asyncio.run(self.journal.flush())


class Open(Protocol):
    def __call__(self, folder: Path, now: int, *, segment_bytes: int = 10**9, retention_bytes: int | None = None) -> Server: ...


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens servers, and closes them at the end of the test."""
    with ExitStack() as stack:

        def opened(folder: Path, now: int, *, segment_bytes: int = 10**9, retention_bytes: int | None = None) -> Server:
            journal = DurableJournal(folder, segment_bytes)
            stack.callback(journal.close)
            return Server(journal, now, retention_bytes)

        yield opened


def test_streams_shards_settings_and_records_come_back(opened: Open, tmp_path: Path, now: int) -> None:
    before = opened(tmp_path, now)
    create_stream(before.kinesis, "clicks", now, shard_count=2, tags={"team": "web"})
    create_stream(before.kinesis, "gone", now, shard_count=1)
    numbers = before.put("a", "b")
    split_shard(before.kinesis, "clicks", FIRST, str(2**126), now + 1)
    before.put("c")
    consumer = register_stream_consumer(before.kinesis, before.kinesis.stream_arn("clicks"), "app", now)
    increase_stream_retention_period(before.kinesis, "clicks", 48, now)
    delete_stream(before.kinesis, "gone", now)
    before.flush()
    before.journal.close()

    after = opened(tmp_path, now + 10)
    assert after.restored == 3
    assert after.read() == ["a", "b"]
    assert after.read("shardId-000000000002") == ["c"]
    assert [stream.state.name for stream in list_streams(after.kinesis, now).streams] == ["clicks"]
    assert list_tags_for_stream(after.kinesis, "clicks", now) == {"team": "web"}
    assert describe_stream_consumer(after.kinesis, now, consumer_arn=consumer.arn)[1] == consumer
    assert describe_stream_summary(after.kinesis, "clicks", now).state.retention_hours == 48
    iterator = get_shard_iterator(after.kinesis, "clicks", FIRST, StartingPosition("AFTER_SEQUENCE_NUMBER", numbers[0]), now)
    end = get_records(after.kinesis, iterator, now)
    assert [record.sequence_number for record in end.records] == numbers[1:]
    assert [child.index for child in end.child_shards] == [2, 3]


def test_a_position_that_was_never_durable_is_not_used_again(opened: Open, tmp_path: Path, now: int) -> None:
    before = opened(tmp_path, now)
    create_stream(before.kinesis, "clicks", now, shard_count=1)
    before.put("durable")
    before.flush()
    (seen_but_lost,) = before.put("lost")
    before.journal.close()  # a crash: the second record was read by someone, and never written

    after = opened(tmp_path, now)
    (number,) = after.put("new")
    assert int(number) > int(seen_but_lost)
    assert after.read() == ["durable", "new"]
    assert after.kinesis.streams["clicks"].logs[0].next_counter == 2 + RESTART_GAP + 1
    iterator = get_shard_iterator(after.kinesis, "clicks", FIRST, StartingPosition("AFTER_SEQUENCE_NUMBER", seen_but_lost), now)
    assert [record.data for record in get_records(after.kinesis, iterator, now).records] == [b"new"]


@pytest.mark.parametrize("cut", [1, 7, 8, 20])
def test_a_torn_end_is_cut_off(opened: Open, tmp_path: Path, now: int, cut: int) -> None:
    before = opened(tmp_path, now)
    create_stream(before.kinesis, "clicks", now, shard_count=1)
    before.put("a")
    before.flush()
    whole = (tmp_path / "00000000.log").read_bytes()
    before.put("b")
    before.flush()
    before.journal.close()
    torn = (tmp_path / "00000000.log").read_bytes()[: len(whole) + cut]
    (tmp_path / "00000000.log").write_bytes(torn)

    after = opened(tmp_path, now)
    assert after.read() == ["a"]
    assert (tmp_path / "00000000.log").read_bytes() == whole
    after.put("c")
    after.flush()
    after.journal.close()
    assert opened(tmp_path, now).read() == ["a", "c"]


def test_a_torn_opening_of_a_new_segment_loses_nothing(opened: Open, tmp_path: Path, now: int) -> None:
    before = opened(tmp_path, now, segment_bytes=2_000)
    create_stream(before.kinesis, "clicks", now, shard_count=2)
    create_stream(before.kinesis, "other", now, shard_count=2)
    before.flush()
    while len(list(tmp_path.glob("*.log"))) < 3:
        before.put("x" * 100)
        before.flush()
    before.journal.close()
    newest = max(tmp_path.glob("*.log"))
    newest.write_bytes(newest.read_bytes()[:30])  # as if the crash came while it was begun

    for _ in range(2):
        after = opened(tmp_path, now, segment_bytes=2_000, retention_bytes=300)
        assert {stream.state.name for stream in list_streams(after.kinesis, now).streams} == {"clicks", "other"}
        after.put("y" * 100)
        after.flush()
        after.journal.close()
    assert opened(tmp_path, now).read()[-1] == "y" * 100


def test_damage_elsewhere_is_reported_not_skipped(opened: Open, tmp_path: Path, now: int) -> None:
    before = opened(tmp_path, now, segment_bytes=200)
    create_stream(before.kinesis, "clicks", now, shard_count=1)
    for text in "abc":
        before.put(text * 100)
        before.flush()
    before.journal.close()
    path = tmp_path / "00000000.log"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(Damaged, match=r"00000000\.log is damaged"):
        opened(tmp_path, now)


def test_segments_go_when_nothing_in_them_is_retained(opened: Open, tmp_path: Path, now: int) -> None:
    before = opened(tmp_path, now, segment_bytes=10_000, retention_bytes=5_000)
    create_stream(before.kinesis, "clicks", now, shard_count=1)
    for number in range(200):
        before.put(f"{number:03d}" + "x" * 500)
        before.flush()
    assert sum(path.stat().st_size for path in tmp_path.glob("*.log")) < 40_000
    assert "00000000.log" not in {path.name for path in tmp_path.iterdir()}
    expected = before.read()
    before.journal.close()
    after = opened(tmp_path, now, segment_bytes=10_000, retention_bytes=5_000)
    assert after.read() == expected
    assert expected[-1].startswith("199")


def test_many_writers_share_a_commit(opened: Open, tmp_path: Path, now: int, monkeypatch: pytest.MonkeyPatch) -> None:
    server = opened(tmp_path, now)
    create_stream(server.kinesis, "clicks", now, shard_count=1)
    commits = []
    append = Segment.append

    def counted(segment: Segment, data: bytes) -> None:
        commits.append(len(data))
        append(segment, data)

    monkeypatch.setattr(Segment, "append", counted)

    async def write(number: int) -> None:
        server.put(str(number))
        await server.journal.flush()

    async def all_at_once() -> None:
        await asyncio.gather(*(write(number) for number in range(50)))

    asyncio.run(all_at_once())
    assert 1 <= len(commits) <= 3
    server.journal.close()
    assert len(opened(tmp_path, now).read()) == 50


def test_a_disk_that_fails_fails_every_later_flush(
    opened: Open, tmp_path: Path, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = opened(tmp_path, now)
    create_stream(server.kinesis, "clicks", now, shard_count=1)

    def full(_segment: object, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    async def scenario() -> None:
        with monkeypatch.context() as patch:
            patch.setattr("clickstream.infra.local.kinesis.storage.segments.Segment.append", full)
            with pytest.raises(OSError, match="No space"):
                await server.journal.flush()
        server.put("after the disk came back, but what was before is missing")
        with pytest.raises(OSError, match="No space"):
            await server.journal.flush()

    asyncio.run(scenario())


def test_one_server_per_folder(opened: Open, tmp_path: Path, now: int) -> None:
    first = opened(tmp_path, now)
    with pytest.raises(UserMistake, match="in use"):
        DurableJournal(tmp_path)
    first.journal.close()
    DurableJournal(tmp_path).close()
