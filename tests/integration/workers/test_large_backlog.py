"""As many bytes as Kinesis delivers, on every shard of a worker at once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clickstream.aws import Clients
from clickstream.consumers.runtime.worker import java, leases
from clickstream.consumers.runtime.worker.properties import ShardProcesses, WorkerPlan, derive, render
from clickstream.infra.local import resources
from clickstream.records.kinesis import list_shards
from clickstream.settings import Settings, environment

pytestmark = [pytest.mark.integration, pytest.mark.java]

SHARDS = 16
#: A read brings ten, and KCL reads on while it holds less than 8 MiB.
RECORDS = 20
SIZE = 1_000_000
PATIENCE_S = 240.0
#: Answers, and keeps how many records its shard has had.
CHILD = """
import os, sys
had = 0
for line in sys.stdin.buffer:
    action = line[line.index(b'"action":"') + 10 :].split(b'"', 1)[0].decode()
    had += line.count(b'"sequenceNumber"') if action == "processRecords" else 0
    print('{"action": "status", "responseFor": "%s"}' % action, flush=True)
    with open(f"{sys.argv[1]}/{os.getpid()}.had", "w") as kept:
        kept.write(f"{had} ")
"""


def test_a_backlog_of_the_largest_records_on_all_shards_does_not_end_the_jvm(settings: Settings, tmp_path: Path) -> None:
    clients = Clients(settings)
    resources.create(clients, settings, shards=SHARDS)
    shards = list_shards(clients.kinesis, settings.stream)
    data = os.urandom(SIZE)
    for shard in shards:
        home = str(int.from_bytes(shard.hash_range.start, "big"))
        for _ in range(RECORDS):
            clients.kinesis.put_record(StreamName=settings.stream, Data=data, PartitionKey="a", ExplicitHashKey=home)
    leases.prepare("large", "1", shards, clients)
    (tmp_path / "child.py").write_text(CHILD)
    shards_of = ShardProcesses(command=(sys.executable, str(tmp_path / "child.py"), str(tmp_path)))
    file = tmp_path / "large.properties"
    file.write_text(render(derive(WorkerPlan(application="large", worker_id="1", shards=shards_of), settings)))
    with (tmp_path / "log").open("w") as log:
        daemon = subprocess.Popen(
            java.command_line(java.find(settings), file, shards=SHARDS),
            env=environment(settings) | java.LOCALE,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while _had(tmp_path) < SHARDS * RECORDS:
            assert daemon.poll() is None, (tmp_path / "log").read_text()[-2000:]
            assert time.monotonic() < deadline
            time.sleep(0.1)
    finally:
        daemon.kill()
        daemon.wait()


def _had(folder: Path) -> int:
    return sum(int(count) for file in folder.glob("*.had") for count in file.read_text().split())
