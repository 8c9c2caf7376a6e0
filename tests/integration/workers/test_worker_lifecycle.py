"""The launcher with KCL's real daemon against the embedded AWS: from the first record to the drained end."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from clickstream.aws import Clients
from clickstream.consumers.needs import lease_tables
from clickstream.settings import Settings, environment

pytestmark = [
    pytest.mark.integration,
    pytest.mark.java,
    pytest.mark.skipif(sys.platform != "linux", reason="finds the JVM through /proc"),
]

#: Far above what is measured (5 s to the first record, 11 s for a takeover): a busy machine fails no test.
DEADLINE_S = 90.0


def until(condition: Callable[[], Any], what: str) -> Any:
    """Poll a condition until it holds; fails after a deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.05)
    return value


class Worker:
    """A launcher process, its log, and the JVM below it."""

    def __init__(self, worker_id: str, fleet: Fleet, loop: str) -> None:
        self.worker_id = worker_id
        self.log = fleet.folder / f"{worker_id}-{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.workers.sample_worker", worker_id, str(fleet.notes_file), loop],
                env=environment(fleet.settings),
                stdin=subprocess.DEVNULL,
                stderr=log,
            )

    def jvm(self) -> int:
        """The pid of the JVM, once there is one."""

        def child() -> int | None:
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            return int(children[0]) if children else None

        return int(until(child, "a JVM"))

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_S)


class Fleet:
    """Workers of one application on a stream of two shards, and the notes of their shard processes."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.clients = Clients(settings)
        self.folder = folder
        self.application = settings.application("sample")
        self.notes_file = folder / "notes"
        self.notes_file.touch()
        self.workers: list[Worker] = []
        self.put_so_far = 0
        self.clients.kinesis.create_stream(StreamName=settings.stream, ShardCount=2)
        self.clients.kinesis.get_waiter("stream_exists").wait(StreamName=settings.stream, WaiterConfig={"Delay": 1})

    def start(self, worker_id: str, loop: str = "stock") -> Worker:
        self.workers.append(Worker(worker_id, self, loop))
        return self.workers[-1]

    def put(self, count: int) -> list[str]:
        """Put ``count`` records with keys that reach both shards; returns their data."""
        data = [f"event {number} é" for number in range(self.put_so_far, self.put_so_far + count)]
        self.put_so_far += count
        answer = self.clients.kinesis.put_records(
            StreamName=self.settings.stream, Records=[{"Data": text.encode(), "PartitionKey": f"kéy {text}"} for text in data]
        )
        assert answer["FailedRecordCount"] == 0
        return data

    def notes(self, what: str, worker_id: str | None = None) -> list[dict[str, Any]]:
        lines = self.notes_file.read_text(encoding="utf-8").split("\n")[:-1]
        notes = [json.loads(line) for line in lines]
        return [note for note in notes if note["what"] == what and worker_id in (None, note["worker"])]

    def wait_for(self, data: list[str], worker_id: str | None = None) -> None:
        until(lambda: set(data) <= {note["data"] for note in self.notes("record", worker_id)}, f"{len(data)} records")

    def owners(self) -> set[str]:
        """Worker ids that own leases."""
        dynamodb = self.clients.dynamodb
        try:
            items = dynamodb.scan(TableName=self.application, ConsistentRead=True)["Items"]
        except dynamodb.exceptions.ResourceNotFoundException:
            return set()  # no worker has come so far yet
        return {item["leaseOwner"]["S"] for item in items if "leaseOwner" in item}


@pytest.fixture
def fleet(settings: Settings, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(msgspec.structs.replace(settings, local_dir=tmp_path), tmp_path)
    try:
        yield fleet
    finally:
        for worker in fleet.workers:
            worker.process.kill()  # its JVM and shard processes die with it
            worker.process.wait()


@pytest.mark.parametrize("loop", ["stock", "ours"])
def test_a_worker_reads_both_shards_drains_and_leaves_nothing_to_repeat(fleet: Fleet, loop: str) -> None:
    first = fleet.put(40)
    worker = fleet.start("w1", loop)
    fleet.wait_for(first)
    assert {note["key"] for note in fleet.notes("record")} == {f"kéy {data}" for data in first}
    assert len({note["shard"] for note in fleet.notes("record")}) == 2

    assert worker.stop() == 0
    assert len(fleet.notes("shutdown requested")) == 2
    assert fleet.owners() == set()

    # another worker need not wait for the leases to expire, and starts behind the last record
    second = fleet.put(40)
    fleet.start("w2", loop)
    fleet.wait_for(second, "w2")
    assert {note["data"] for note in fleet.notes("record", "w2")} == set(second)
    assert len(fleet.notes("record")) == 80
    assert fleet.notes("checkpoint refused") == []


def test_a_folder_and_a_locale_that_java_alone_would_not_get_along_with(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LANG", raising=False)
    monkeypatch.setenv("LC_ALL", "C")
    folder = tmp_path / "Läden"
    folder.mkdir()
    fleet = Fleet(msgspec.structs.replace(settings, local_dir=folder), folder)
    worker = fleet.start("w1")
    try:
        data = fleet.put(20)
        fleet.wait_for(data)
        assert {note["key"] for note in fleet.notes("record")} == {f"kéy {each}" for each in data}
        assert worker.stop() == 0
    finally:
        worker.process.kill()
        worker.process.wait()
    assert "the worker died" not in worker.log.read_text(encoding="utf-8")


def test_a_killed_jvm_comes_back_under_the_same_id(fleet: Fleet) -> None:
    worker = fleet.start("w1")
    fleet.wait_for(fleet.put(20))
    jvm = worker.jvm()
    os.kill(jvm, signal.SIGKILL)
    until(lambda: worker.jvm() != jvm, "another JVM")
    fleet.wait_for(fleet.put(20))
    assert fleet.owners() == {"w1"}
    assert "the worker died: starting it again" in worker.log.read_text()
    assert worker.stop() == 0


def test_shards_of_a_killed_worker_go_to_another(fleet: Fleet) -> None:
    workers = [fleet.start("w1"), fleet.start("w2")]
    until(lambda: len(fleet.owners()) == 2, "each worker has a shard")
    fleet.wait_for(fleet.put(20))
    workers[0].process.kill()
    fleet.wait_for(fleet.put(20), "w2")
    # KCL may just have begun to hand one of w2's shards to w1 when that died: then it comes back after the lease's end
    until(lambda: fleet.owners() == {"w2"}, "every lease with w2")


def test_a_second_daemon_of_the_same_id_refuses_to_run(fleet: Fleet) -> None:
    fleet.start("w1")
    fleet.wait_for(fleet.put(2))
    second = fleet.start("w1")
    assert second.process.wait(DEADLINE_S) == 1
    assert "worker w1 is already running" in second.log.read_text()


def test_leases_are_assigned_without_a_leader_and_the_log_shows_no_payload(fleet: Fleet) -> None:
    worker = fleet.start("w1")
    data = fleet.put(2)
    fleet.wait_for(data)
    assert worker.stop() == 0
    table = lease_tables(fleet.application)[1].suffix
    items = {item["key"]["S"]: item for item in fleet.clients.dynamodb.scan(TableName=table)["Items"]}
    assert items["Migration3.0"]["cv"] == {"S": "CLIENT_VERSION_2X"}
    assert "Leader" not in items
    log = worker.log.read_text()
    assert not any(text in log or base64.b64encode(text.encode()).decode() in log for text in data)


def test_after_a_split_the_parent_is_ended_and_its_children_are_read(fleet: Fleet) -> None:
    fleet.start("w1", "ours")
    fleet.wait_for(fleet.put(20))
    kinesis, stream = fleet.clients.kinesis, fleet.settings.stream
    parent = kinesis.list_shards(StreamName=stream)["Shards"][0]
    keys = parent["HashKeyRange"]
    middle = (int(keys["StartingHashKey"]) + int(keys["EndingHashKey"])) // 2
    kinesis.split_shard(StreamName=stream, ShardToSplit=parent["ShardId"], NewStartingHashKey=str(middle))
    kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})
    fleet.wait_for(fleet.put(40))
    assert [note["shard"] for note in fleet.notes("shard ended")] == [parent["ShardId"]]
    assert len({note["shard"] for note in fleet.notes("initialize")}) == 4
    assert len(fleet.notes("record")) == 60
