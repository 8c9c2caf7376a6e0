"""amazon_kclpy's own loop and a processor as in its sample, through a split and a merge: no record lost, no ERROR line."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from clickstream.settings import Settings, environment
from tests.integration.publisher.stream import merge_first, open_shards, split_first
from tests.integration.resharding.platform import DEADLINE_S, errors_of_kcl

pytestmark = [pytest.mark.integration, pytest.mark.java]

_KEYS = 20
#: Starts the worker with a log configuration that silences no logger.
_START = """
import sys
from pathlib import Path
from clickstream.consumers.runtime.worker import java
from tests.integration.workers.sample_worker import worker
java.LOGBACK = Path(sys.argv[1])
sys.exit(worker(*sys.argv[2:]))
"""


class Sample:
    """A worker of the stock loop on a stream of two shards, and what its shard processes noted."""

    def __init__(self, settings: Settings, kinesis: Any, folder: Path, retrieval: str) -> None:
        self._settings = msgspec.structs.replace(settings, local_dir=folder)
        self.kinesis = kinesis
        self._notes = folder / "notes"
        self._notes.touch()
        self._log = folder / "worker.log"
        self._put: list[tuple[str, str]] = []
        configuration = Path(__file__).with_name("logback.xml")
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _START, str(configuration), "w1", str(self._notes), "stock", retrieval],
                env=environment(self._settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def put(self, count: int) -> None:
        """Put plain records of a few keys, numbered, and wait until all records ever put have been noted."""
        new = [(f"key {n % _KEYS}", f"{n:05d}") for n in range(len(self._put), len(self._put) + count)]
        self._put += new
        answer = self.kinesis.put_records(
            StreamName=self._settings.stream, Records=[{"Data": data.encode(), "PartitionKey": key} for key, data in new]
        )
        assert answer["FailedRecordCount"] == 0
        self.until(lambda: len(self.notes("record")) >= len(self._put), f"{len(self._put)} records")

    def notes(self, what: str) -> list[dict[str, Any]]:
        lines = self._notes.read_text(encoding="utf-8").split("\n")[:-1]
        return [note for note in map(json.loads, lines) if note["what"] == what]

    def until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert self.process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, f"not in time: {what}\n{self._log.read_text()}"
            time.sleep(0.05)

    def until_ended(self, *shards: str) -> None:
        self.until(lambda: set(shards) <= {note["shard"] for note in self.notes("shard ended")}, f"the end of {shards}")

    def wanted(self) -> dict[str, list[str]]:
        return by_key(self._put)

    def errors(self) -> list[str]:
        return errors_of_kcl(self._log.read_text(encoding="utf-8"))


def by_key(records: list[tuple[str, str]]) -> dict[str, list[str]]:
    keys: dict[str, list[str]] = defaultdict(list)
    for key, data in records:
        keys[key].append(data)
    return keys


@pytest.fixture
def start(settings: Settings, tmp_path: Path) -> Iterator[Callable[[str], Sample]]:
    from clickstream.aws import Clients

    kinesis = Clients(settings).kinesis
    kinesis.create_stream(StreamName=settings.stream, ShardCount=2)
    started: list[Sample] = []

    def begin(retrieval: str) -> Sample:
        started.append(Sample(settings, kinesis, tmp_path, retrieval))
        return started[-1]

    yield begin
    for sample in started:
        sample.process.kill()  # its JVM and shard processes die with it
        sample.process.wait()


@pytest.mark.parametrize("retrieval", ["polling", "fanout"])
def test_the_stock_sample_through_a_split_and_a_merge(
    start: Callable[[str], Sample], settings: Settings, retrieval: str
) -> None:
    sample = start(retrieval)
    sample.put(200)
    first = open_shards(sample.kinesis, settings.stream)[0]["ShardId"]
    split_first(sample.kinesis, settings.stream)
    sample.until_ended(first)
    sample.put(200)
    lower, upper = (shard["ShardId"] for shard in open_shards(sample.kinesis, settings.stream)[:2])
    merge_first(sample.kinesis, settings.stream)
    sample.until_ended(lower, upper)
    sample.put(200)

    assert by_key([(note["key"], note["data"]) for note in sample.notes("record")]) == sample.wanted()
    assert sample.notes("checkpoint refused") == []
    assert len({note["shard"] for note in sample.notes("record")}) == 5
    assert sample.errors() == []
