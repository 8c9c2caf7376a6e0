"""A permission taken away, and a record that a bug cannot stand, under KCL's real worker: nothing is lost, shards go on."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clickstream import events
from clickstream.aws import Clients
from clickstream.consumers.analytics.views import Aggregates, ShardProgress
from clickstream.consumers.dead_letters.letters import Received, reading
from clickstream.events import Login
from clickstream.infra.local import resources
from clickstream.infra.local.stack import Stack
from clickstream.settings import Settings, child_environment

pytestmark = [
    pytest.mark.integration,
    pytest.mark.java,
    pytest.mark.skipif(sys.platform != "linux", reason="the broken application comes in through the zygote"),
]

DEADLINE_S = 120.0


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.1)
    return value


class Site:
    """One worker of analytics over two shards."""

    def __init__(self, settings: Settings, environment: dict[str, str], folder: Path) -> None:
        self.settings = settings
        self.clients = Clients(settings)
        self.folder = folder
        self._environment = environment
        self._worker: subprocess.Popen[bytes] | None = None
        self.put_so_far = 0

    def start(self, variant: str) -> None:
        with (self.folder / "worker.log").open("ab") as log:
            self._worker = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.broken.worker", variant],
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        if self._worker is not None:
            self._worker.kill()  # its JVM and shard processes die with it
            self._worker.wait()

    def put(self, count: int, *, prefix: str = "event") -> None:
        """Of as many visitors, so that both shards get some."""
        for n in range(self.put_so_far, self.put_so_far + count):
            now_ms = time.time_ns() // 1_000_000
            event = Login(event_id=f"{prefix}-{n}", user_id=f"user-{n}", session_id="s", occurred_at=now_ms)
            self.clients.kinesis.put_record(
                StreamName=self.settings.stream, PartitionKey=event.user_id, Data=events.encode(event)
            )
        self.put_so_far += count

    def rows(self) -> list[ShardProgress]:
        return [row for row in Aggregates(self.clients, self.settings).progress() if row.application == "analytics"]

    def folded(self) -> int:
        return sum(row.events for row in self.rows())

    def counted(self) -> int:
        """What the answers say, of all minutes."""
        now_ms = time.time_ns() // 1_000_000
        windows = Aggregates(self.clients, self.settings).windows("minute", now_ms - 3_600_000, now_ms + 60_000)
        return sum(sum(window.counts.values()) for window in windows)

    def letters(self) -> list[Received]:
        with reading(self.clients, self.settings) as queue:
            return queue.receive()

    def log(self) -> str:
        return (self.folder / "worker.log").read_text()


@pytest.fixture
def site(settings: Settings, local_aws: Stack, tmp_path: Path) -> Iterator[Site]:
    resources.create(Clients(settings), settings, shards=2)
    ours = {"CLICKSTREAM_NAME": settings.name, "CLICKSTREAM_LOCAL_DIR": str(tmp_path), "CLICKSTREAM_LOG_LEVEL": "info"}
    environment = child_environment({**local_aws.environment, **ours})
    site = Site(settings, environment, tmp_path)
    try:
        yield site
    finally:
        site.stop()


def test_a_permission_that_is_away_is_waited_for_and_shown_and_nothing_is_lost(site: Site) -> None:
    site.start("denied")
    site.put(40)
    until(lambda: site.folded() == 40, "the first events")
    (site.folder / "denied").touch()
    site.put(40)
    waiting = until(lambda: [row.waiting for row in site.rows() if row.waiting], "a shard that says what it waits for")
    assert waiting[0]["action"] == "dynamodb:PutItem"
    assert str(waiting[0]["resource"]).endswith("table/aggregates")
    assert not any(row.breakers for row in site.rows()), "what says no is not down"
    (site.folder / "denied").unlink()
    until(lambda: site.folded() == 80, "all events")
    until(lambda: not any(row.waiting for row in site.rows()), "nothing to wait for")
    until(lambda: site.counted() == 80, "all answers")
    assert site.letters() == []
    said = site.log()
    assert said.count("the shard waits: not allowed") <= 4, "once for each shard and write, not for each try"
    assert "the shard waits no longer" in said


def test_a_record_that_a_bug_cannot_stand_stops_no_shard(site: Site) -> None:
    site.start("poison")
    site.put(40)
    until(lambda: site.folded() == 40, "the first events")
    site.put(10)
    site.put(3, prefix="poison")
    site.put(40)
    # nine ends, which are more than a worker is allowed that does not live
    until(lambda: site.folded() == 90, "the shards go on")
    letters = [each.letter for each in site.letters()]
    assert {(letter.event_id or "").partition("-")[0] for letter in letters} == {"poison"}
    assert len(letters) == 3
    assert all("ArithmeticError: a bug in the fold" in (letter.traceback or "") for letter in letters)
    until(lambda: site.counted() == 90, "all answers")
    # three times three; who is ended with another's zygote in the moment in which it says so, says it again
    assert 9 <= site.log().count("shard process stops at a bug") <= 12
    site.put(10)
    until(lambda: site.folded() == 100, "the shards go on")
