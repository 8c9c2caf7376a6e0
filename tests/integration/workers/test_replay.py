"""Real input, four shards, a real KCL worker: every aggregate equals batch pandas, also over a kill -9 of the worker."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clickstream.aws import Clients
from clickstream.infra.local import resources, roles
from clickstream.infra.local.stack import Stack
from clickstream.load.verdict import progress
from clickstream.settings import Settings, child_environment

pytestmark = pytest.mark.integration

EVENTS = 96_168
_SHARDS = 4
_DEADLINE_S = 120


class Platform:
    """A stream, and the commands of a person who uses it."""

    def __init__(self, settings: Settings, environment: dict[str, str], directory: Path) -> None:
        self.settings = settings
        self._environment = environment
        self._log = directory / "worker.log"
        self._dynamodb = Clients(settings).dynamodb

    def command(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "clickstream.cli", *arguments],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        """A worker of analytics that owns every shard; ended at the end, unless it was before."""
        resources.create_lease_tables(Clients(self.settings), self.settings, "analytics")
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "clickstream.cli", "worker", "analytics"],
                env=self._environment | roles.variables(self.settings.name, "analytics"),
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(_DEADLINE_S)

    def shards(self) -> list[progress.ShardProgress]:
        return progress.read(self._dynamodb, self.settings, "analytics")

    def wait_until(self, condition: Callable[[list[progress.ShardProgress]], bool], worker: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _DEADLINE_S
        while not condition(self.shards()):
            assert worker.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.1)


@pytest.fixture
def platform(settings: Settings, local_aws: Stack, tmp_path: Path) -> Platform:
    resources.create(Clients(settings), settings, shards=_SHARDS)
    environment = child_environment(
        {**local_aws.environment, "CLICKSTREAM_NAME": settings.name, "CLICKSTREAM_LOCAL_DIR": str(tmp_path)}
    )
    return Platform(settings, environment, tmp_path)


@pytest.fixture
def taobao(datasets: Path) -> str:
    path = datasets / "taobao_userbehavior" / "UserBehavior.csv.gz"
    if not path.is_file():
        pytest.skip(f"no {path}")
    return str(path)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _report(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any], str]:
    out, err = process.communicate(timeout=2 * _DEADLINE_S)
    return process.returncode, json.loads(out.splitlines()[-1]) if out else {}, err


def test_a_replay_equals_pandas(platform: Platform, taobao: str) -> None:
    with platform.worker() as worker:
        platform.wait_until(lambda shards: len(shards) == _SHARDS, worker)
        code, report, err = _report(
            platform.command("load", "replay", taobao, "--format", "taobao", "--speed", "max", "--verify", "--json")
        )

    assert report.get("problems") == [], err
    assert code == 0
    assert (report["sent"], report["processed"], report["lost"], report["duplicated"]) == (EVENTS, EVENTS, 0, 0)
    assert report["windows"] == 119
    assert "line 96169" in err


def test_a_replay_equals_pandas_when_the_worker_is_killed_in_the_middle(platform: Platform, taobao: str) -> None:
    with platform.worker() as worker:
        platform.wait_until(lambda shards: len(shards) == _SHARDS, worker)
        replay = platform.command("load", "replay", taobao, "--format", "taobao", "--speed", "max", "--verify", "--json")
        try:
            platform.wait_until(lambda shards: progress.counted(shards).events > 10_000, worker)
            worker.kill()
            worker.wait(_DEADLINE_S)
            assert 10_000 < progress.counted(platform.shards()).events < EVENTS, "the kill came too late to prove anything"
            with platform.worker():
                code, report, err = _report(replay)
        finally:
            if replay.poll() is None:
                replay.kill()
                replay.communicate()

    assert report.get("problems") == [], err
    assert code == 0
    assert (report["processed"], report["lost"], report["duplicated"]) == (EVENTS, 0, 0)


def test_generated_traffic_with_all_faults_is_exact_and_a_false_ledger_is_found_out(platform: Platform, tmp_path: Path) -> None:
    with platform.worker() as worker:
        platform.wait_until(lambda shards: len(shards) == _SHARDS, worker)
        profile = ("--profile", "black-friday", "--processes", "2")
        code, sent, err = _report(platform.command("load", "run", "--rate", "1000", "--duration", "10", *profile, "--json"))
        assert code == 0, err
        assert sent["kinds"].keys() >= {"retry", "late", "malformed", "delayed", "skewed", "old"}
        verify = ("load", "verify", "--only", "analytics,dead-letters", "--json")
        code, report, err = _report(platform.command(*verify))
        assert report.get("problems") == [], err
        assert code == 0
        assert report["dead_lettered"] == report["letters"]["letters"] == sent["malformed"]

        ledger = tmp_path / "ledger.json"
        book = json.loads(ledger.read_text())
        book["windows"][0]["totals"]["orders"] += 1
        ledger.write_text(json.dumps(book))
        code, report, err = _report(platform.command(*verify))
        assert code == 1
        assert report["wrong"] == 1
        assert "orders" in report["problems"][0]

        # users have a stream that is not empty: theirs are counted in, and what came before is told apart
        put = tmp_path / "put.ndjson"
        view = {"type": "product_view", "user_id": "u", "session_id": "s", "occurred_at": _now_ms(), "product_id": "p"}
        put.write_text("".join(json.dumps(view | {"event_id": f"own-{n}"}) + "\n" for n in range(3)))
        platform.command("produce", str(put)).communicate(timeout=_DEADLINE_S)
        with put.open("a") as file:
            file.write(json.dumps(view | {"event_id": "new"}) + "\n" + json.dumps(view | {"schema_version": 99}) + "\n")
        code, report, err = _report(platform.command("load", "replay", str(put), "--verify", "--json"))
        assert (code, report.get("problems")) == (3, []), err
        assert (report["sent"], report["repeated"], report["processed"], report["windows"]) == (4, 3, 1, 3)

        code, _, err = _report(platform.command("load", "run", "--rate", "500", "--duration", "2", "--json"))
        assert code == 0, err
        code, report, err = _report(platform.command("load", "verify", "--only", "analytics", "--json"))
        assert report.get("problems") == [], err
        assert {"day", "hour", "minute"} <= {row["window"]["granularity"] for row in json.loads(ledger.read_text())["windows"]}
        assert report["windows"] >= len(json.loads(ledger.read_text())["windows"])
        assert report["applications"]["analytics"]["left_out"] == {}
