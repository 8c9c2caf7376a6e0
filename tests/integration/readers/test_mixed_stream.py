"""All formats beside each other on one stream, as when publishers are moved from one to another: a real worker counts exactly.

Each writer has its own visitors, so that a visitor's order is one writer's. A block that is damaged and a bad line within
a block lie among them. The worker is killed in the middle; the answers are compared with batch pandas.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from hashlib import md5
from pathlib import Path

import pytest
import zstandard

from clickstream.aws import Clients
from clickstream.events import Login, decode, encode
from clickstream.infra.local import resources
from clickstream.load.verdict import frames, oracle, progress, queries, stores
from clickstream.load.verdict.comparers.aggregates import differences
from clickstream.producers.publisher.kinesis import KinesisPublisher
from clickstream.producers.publisher.limits import Limits
from clickstream.producers.publisher.packing import Records
from clickstream.settings import Settings, environment
from tests.integration.publisher.stream import open_shards, records
from tests.integration.resharding.platform import Platform

pytestmark = [pytest.mark.integration, pytest.mark.java]

FORMATS: list[Records] = ["zstd", "gzip", "ndjson", "kpl", "single"]
#: Events that a writer puts and waits for.
CHUNK = 250
MAGICS = {b"\x28\xb5\x2f\xfd": "zstd", b"\x1f\x8b": "gzip", b"\xf3\x89\x9a\xc2": "kpl", b"{": "plain"}


class Writer(threading.Thread):
    def __init__(self, settings: Settings, records: Records, lines: list[bytes]) -> None:
        super().__init__(daemon=True)
        self._settings, self._records, self._lines = settings, records, lines
        self.go_on = threading.Event()

    def run(self) -> None:
        with KinesisPublisher(self._settings, Limits(records=self._records, shard_share=1 / len(FORMATS))) as publisher:
            for start in range(0, len(self._lines), CHUNK):
                if start > len(self._lines) * 2 // 3:
                    self.go_on.wait(120)  # for the kill, which then comes before all has been put
                for line in self._lines[start : start + CHUNK]:
                    publisher.put(decode(line))
                publisher.flush(60)
                time.sleep(0.2)  # a client's own pace: the worker reads meanwhile


@pytest.fixture
def platform(settings: Settings, tmp_path: Path) -> Platform:
    resources.create(Clients(settings), settings, shards=2)
    return Platform(settings, tmp_path)


def generated(rate: int, seconds: int) -> list[bytes]:
    options = ["--rate", str(rate), "--duration", str(seconds), "--seed", "17", "--no-faults", "--no-ledger", "--dry-run"]
    command = [sys.executable, "-m", "clickstream.cli", "load", "run", *options]
    return subprocess.run(command, capture_output=True, check=True, timeout=120).stdout.splitlines()


def test_all_formats_on_one_stream_are_exact_through_a_kill(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    events = generated(rate=5_000, seconds=5)
    shares: list[list[bytes]] = [[] for _ in FORMATS]
    for line in events:
        shares[zlib.crc32(json.loads(line)["user_id"].encode()) % len(FORMATS)].append(line)
    writers = [Writer(platform.settings, each, lines) for each, lines in zip(FORMATS, shares, strict=True)]
    by_hand = hand_made(platform, json.loads(events[-1])["occurred_at"])

    def counted() -> progress.Counted:
        return progress.counted(list(platform.counted().values()))

    with platform.worker() as worker:
        for writer in writers:
            writer.start()
        platform.wait_until(lambda: counted().events > len(events) // 3, "a third of the events", worker)
    with platform.worker() as worker:
        for writer in writers:
            writer.go_on.set()
        for writer in writers:
            writer.join(120)
        whole = len(events) + len(by_hand)
        platform.wait_until(lambda: counted().records >= whole + 2, "all events", worker)
        assert counted() == progress.Counted(events=whole, duplicates=0, dead_letters=2)
        assert sum(shard.foreign for shard in platform.counted().values()) == 0
        expected = oracle.aggregate(frames.from_ndjson([*events, *by_hand]))
        for name, value in environment(platform.settings).items():
            monkeypatch.setenv(name, value)  # the answers are asked for by a command
        assert differences(expected, queries.ask(expected)) == []

    letters = {(each.position, each.data) for each in stores.letters(platform.clients, platform.settings)}
    assert {data for _, data in letters} == {DAMAGED, BAD_LINE}
    assert {position.rpartition(".")[2] for position, data in letters if data == BAD_LINE} == {"000002"}
    kinds = kinds_of_records(platform)
    assert set(kinds) == set(MAGICS.values())
    assert kinds["zstd"] < len(shares[0]) / 10, "many events travelled in one record"


DAMAGED = zstandard.compress(b"".join(b'{"type":"login","n":%d}\n' % number for number in range(200)))[:-30]
BAD_LINE = b'{"type":"login","user_id":"u'


def hand_made(platform: Platform, at_ms: int) -> list[bytes]:
    """A damaged block, and a block with a bad line between good ones; returns the good ones."""
    shard = open_shards(platform.kinesis, platform.stream)[0]
    first, last = (int(shard["HashKeyRange"][f"{side}HashKey"]) for side in ("Starting", "Ending"))
    users = [user for n in range(100) if first <= hashed(user := f"by-hand-{n}") <= last]
    good = [encode(Login(event_id=user, user_id=user, session_id="s", occurred_at=at_ms)) for user in users[:2]]
    text = b"\n".join([good[0], b"", BAD_LINE, good[1], b""])
    for data in (DAMAGED, zstandard.compress(text)):
        platform.kinesis.put_record(StreamName=platform.stream, Data=data, PartitionKey="any", ExplicitHashKey=str(first))
    return good


def hashed(user: str) -> int:
    return int.from_bytes(md5(user.encode()).digest(), "big")


def kinds_of_records(platform: Platform) -> Counter[str]:
    shards = open_shards(platform.kinesis, platform.stream)
    data = [record["Data"] for shard in shards for record in records(platform.kinesis, platform.stream, shard["ShardId"])]
    return Counter(next(kind for magic, kind in MAGICS.items() if each.startswith(magic)) for each in data)
