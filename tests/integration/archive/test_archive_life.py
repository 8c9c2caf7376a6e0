"""The archive under crashes and reshards: its files against the sender's ledger, and SQL over them against the live answers."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from clickstream import events
from clickstream.aws import Clients
from clickstream.cli import cli
from clickstream.consumers.analytics.views import Aggregates
from clickstream.consumers.archive.commands import ended_shards
from clickstream.consumers.archive.views import Archive
from clickstream.events import AnyEvent
from clickstream.infra.local import resources, roles
from clickstream.load.traffic.shop.visitors import Visitors, shop_for
from clickstream.load.verdict import progress
from clickstream.producers.publisher.kinesis import KinesisPublisher
from clickstream.settings import Settings, environment
from tests.integration.drills.rig.workers import Worker
from tests.integration.publisher.stream import merge_first, split_first

pytestmark = [
    pytest.mark.integration,
    pytest.mark.java,
    pytest.mark.skipif(sys.platform != "linux", reason="finds a worker's processes through /proc"),
]

_EVENTS = 60_000
_REPEATED = 500
#: 2025-11-24 16:00 UTC and 80 ms from event to event: the traffic crosses two hours.
_BEGIN_MS, _STEP_MS = 1_764_000_000_000, 80
_DEADLINE_S = 150.0


@pytest.fixture
def settings_here(settings: Settings, tmp_path: Path) -> Settings:
    resources.create(Clients(settings), settings, shards=2)
    return msgspec.structs.replace(settings, local_dir=tmp_path)


@pytest.fixture
def workers(settings_here: Settings, tmp_path: Path) -> Iterator[dict[str, Worker]]:
    """Started; the one of analytics is left in peace, so that its answers may be compared with."""
    workers = {
        application: Worker(
            application, "1", environment(roles.prepared(settings_here, application)), tmp_path / f"{application}.log"
        )
        for application in ("archive", "analytics")
    }
    try:
        for worker in workers.values():
            worker.start()
        yield workers
    finally:
        for worker in workers.values():
            worker.kill()


def wait_until(condition: Callable[[], Any], what: str, log: Path) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {what}\n{log.read_text()[-4000:]}"
        time.sleep(0.2)


def sent() -> list[AnyEvent]:
    visitors = Visitors(seed=11, shop=shop_for(100))
    return [visitors.next_event(_BEGIN_MS + _STEP_MS * number) for number in range(_EVENTS)]


def test_the_archive_equals_the_ledger_and_the_live_answers(
    settings_here: Settings,
    workers: dict[str, Worker],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    clients = Clients(settings_here)
    kinesis: Any = clients.kinesis
    ledger = sent()
    worker = workers["archive"]

    def folded(application: str) -> int:
        return sum(shard.events for shard in progress.read(clients.dynamodb, settings_here, application))

    def put(some: list[AnyEvent]) -> None:
        with KinesisPublisher(settings_here) as publisher:
            for event in some:
                publisher.put(event)

    def step(least: int) -> Callable[[], bool]:
        return lambda: folded("archive") >= least

    started = time.monotonic()
    quarter = _EVENTS // 4
    put(ledger[:quarter])
    wait_until(step(1), "the first commit", worker.log)
    # the process of one shard dies, in the middle of its work
    os.kill(worker.parts().shards[0], signal.SIGKILL)
    put(ledger[quarter : 2 * quarter])
    wait_until(step(quarter), "work after a dead shard process", worker.log)
    split_first(kinesis, settings_here.stream)
    put(ledger[2 * quarter : 3 * quarter] + ledger[:_REPEATED])
    # the whole worker dies while parents end and children begin
    worker.kill()
    worker.start()
    wait_until(step(2 * quarter), "work after a dead worker", worker.log)
    merge_first(kinesis, settings_here.stream)
    put(ledger[3 * quarter :])
    # the one shard of the beginning that is left ends, with more than one chunk
    scale_down(kinesis, settings_here.stream)
    wait_until(lambda: folded("archive") == folded("analytics") == _EVENTS, "every event folded", worker.log)
    archive = Archive(clients, settings_here)
    wait_until(lambda: count(archive) >= _EVENTS, "every event in a file", worker.log)
    wait_until(lambda: len(ended_shards(clients, settings_here)) == 5, "every parent read to its end", worker.log)
    compared = time.monotonic()

    assert_equals_the_ledger(archive, ledger)
    files = len(archive.files())
    for name, value in environment(settings_here).items():
        monkeypatch.setenv(name, value)  # compaction and SQL are asked for by command
    assert_equals_the_live_answers(clients, settings_here)

    outcome = json.loads(run("archive", "compact", "--json"))
    assert outcome["merges"], "nothing was small enough to prove anything"
    assert len(archive.files()) < files
    # as a file it is what was sent, byte for byte, and `produce` takes it again
    exported = tmp_path / "events.ndjson"
    run("query", "sql", "SELECT * FROM events", "--out", str(exported))
    assert sorted(exported.read_bytes().splitlines()) == sorted(map(events.encode, ledger))
    assert json.loads(run("produce", str(exported), "--dry-run", "--json"))["sent"] == _EVENTS
    assert_equals_the_live_answers(clients, settings_here)
    with capsys.disabled():
        sys.stderr.write(
            f"\narchive: {_EVENTS:,} events and {_REPEATED} repetitions through 2 kills, a split and two merges in "
            f"{compared - started:.1f} s; {files} files, {len(archive.files())} after compaction; nothing lost or doubled\n"
        )


def scale_down(kinesis: Any, stream: str) -> None:
    kinesis.update_shard_count(StreamName=stream, TargetShardCount=1, ScalingType="UNIFORM_SCALING")
    kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})


def count(archive: Archive) -> int:
    return int(archive.query("SELECT count(*) FROM events").rows[0][0])


def assert_equals_the_ledger(archive: Archive, ledger: list[AnyEvent]) -> None:
    """Event by event, every field."""
    answer = archive.query("SELECT * REPLACE (epoch_ms(occurred_at) AS occurred_at) FROM events")
    archived: dict[str, AnyEvent] = {}
    for row in answer.rows:
        fields = {name: value for name, value in zip(answer.columns, row, strict=True) if value is not None}
        fields["context"] = {name: value for name, value in (fields.get("context") or {}).items() if value is not None}
        event = events.from_builtins(fields)
        assert event.event_id not in archived, f"{event.event_id} is there twice"
        archived[event.event_id] = event
        hour = time.strftime("%Y-%m-%d %H", time.gmtime(event.occurred_at / 1000))
        assert f"{fields['date']} {fields['hour']:02d}" == hour
    assert archived == {event.event_id: event for event in ledger}


def assert_equals_the_live_answers(clients: Clients, settings: Settings) -> None:
    """Counts by type, revenue by currency and the exact rankings of every minute, against what analytics shows."""
    live = Aggregates(clients, settings).windows("minute", _BEGIN_MS, _BEGIN_MS + _EVENTS * _STEP_MS, top=1000)
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    for row in sql("SELECT epoch_ms(date_trunc('minute', occurred_at)) AS at, type, count(*) AS n FROM events GROUP BY ALL"):
        counts[row["at"]][row["type"]] = row["n"]
    revenue: dict[int, dict[str, int]] = defaultdict(dict)
    for row in sql(
        "SELECT epoch_ms(date_trunc('minute', occurred_at)) AS at, currency, sum(amount)::BIGINT AS n "
        "FROM events WHERE type = 'purchase' GROUP BY ALL"
    ):
        revenue[row["at"]][row["currency"]] = row["n"]
    assert len(live) == len(counts) == _EVENTS * _STEP_MS // 60_000
    for window in live:
        shown = {kind: n for kind, n in window.counts.items() if n}
        assert shown == counts[window.start_ms]
        assert dict(window.revenue) == revenue.get(window.start_ms, {})


def sql(statement: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run("query", "sql", "--json", statement).splitlines()]


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout
