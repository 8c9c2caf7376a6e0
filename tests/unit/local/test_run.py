"""One run of `clickstream up` in a folder at a time, and after what a killed one left."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from clickstream.errors import UserMistake
from clickstream.infra.local.commands import local
from clickstream.infra.local.processes import Children, Process
from clickstream.infra.local.run import Record, Run, alone

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def left(tmp_path: Path) -> Iterator[Process]:
    """A process that runs, and that a killed run in ``tmp_path`` has started."""
    with Children() as children:
        process = children.start("analytics", SLEEPER, environment=None, log=tmp_path / "log")
        yield process


def _record(folder: Path, *processes: Process) -> None:
    record = Record(pid=1, since=datetime.now(UTC), processes=processes)
    (folder / "up.json").write_bytes(msgspec.json.encode(record))


def _written(folder: Path) -> dict[Path, tuple[int, int]]:
    """Which file each is, and when it was written last; it may have been read since."""
    return {path: (path.lstat().st_ino, path.lstat().st_mtime_ns) for path in folder.rglob("*")}


def test_a_second_one_says_who_runs_and_touches_nothing(tmp_path: Path) -> None:
    with alone(tmp_path, print) as run:
        run.begin()
        run.shown_at("http://127.0.0.1:8080")
        before = _written(tmp_path)
        with (
            pytest.raises(
                UserMistake, match=rf"process {os.getpid()}, since .*, its dashboard at http://127.0.0.1:8080$"
            ) as told,
            alone(tmp_path, print),
        ):
            pass
        assert f"kill {os.getpid()}" in told.value.hint
        assert _written(tmp_path) == before
    assert not (tmp_path / "up.json").exists()


def test_one_that_ends_is_waited_for(tmp_path: Path) -> None:
    said: list[str] = []
    ended = threading.Event()

    def follow() -> None:
        with alone(tmp_path, said.append):
            ended.set()

    with alone(tmp_path, print) as run:
        run.ending()
        following = threading.Thread(target=follow)
        following.start()
        while not said:
            following.join(0.02)
        assert not ended.is_set()
    following.join()
    assert said == [f"waiting for process {os.getpid()}, which runs here, to end (0 s)"]
    assert ended.is_set()


def test_what_a_killed_one_left_is_waited_for_and_said(tmp_path: Path, left: Process) -> None:
    """Without an AWS of ours among it: a worker may still keep what it has read, and is left to it."""
    _record(tmp_path, left)
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        os.kill(left.pid, 15)

    with alone(tmp_path, say):
        assert not left.is_running()
    assert said == ["the run before this one was killed: waiting for its analytics to end (0 s)"]


def test_without_its_aws_what_is_left_is_ended(tmp_path: Path, left: Process) -> None:
    gone = Process(name="ministack", pid=left.pid, started="before", log="")
    _record(tmp_path, gone, left)
    with alone(tmp_path, print):
        assert not left.is_running()


def test_what_outlives_its_run_is_known_to_the_next(tmp_path: Path, left: Process) -> None:
    with alone(tmp_path, print) as run:
        run.begin()
        run.started(left)
    assert (tmp_path / "latest" / f"{left.name}.pid").read_text() == f"{left.pid}\n"
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        os.kill(left.pid, 15)

    with alone(tmp_path, say):
        pass
    assert said


def test_each_has_a_folder_of_its_own_and_the_oldest_go(tmp_path: Path) -> None:
    for day in range(1, 14):
        Run(tmp_path, datetime(2026, 11, day, tzinfo=UTC)).begin()
    assert [path.name[:10] for path in sorted((tmp_path / "runs").iterdir())] == [f"2026-11-{day:02d}" for day in range(4, 14)]
    assert (tmp_path / "latest" / "logs").resolve() == tmp_path / "runs" / "2026-11-13T00-00-00Z" / "logs"


def test_a_second_terminal_is_led_to_its_aws_and_not_to_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKSTREAM_LOCAL_DIR", str(tmp_path))
    with alone(tmp_path, print) as run:
        assert CliRunner().invoke(local, ["status"]).exit_code == 1
        run.leads_with({"AWS_REGION": "eu-west-1", "CLICKSTREAM_EVENTS": "/a b"})
        told = CliRunner().invoke(local, ["status"])
        assert (told.exit_code, told.stdout) == (0, "export AWS_REGION=eu-west-1 CLICKSTREAM_EVENTS='/a b'\n")
        assert f"process {os.getpid()}, since" in told.stderr
        assert '"region": "eu-west-1"' in CliRunner().invoke(local, ["status", "--json"]).stdout
        refused = CliRunner().invoke(local, ["start"]).exception
        assert isinstance(refused, UserMistake)
        assert f"process {os.getpid()}" in str(refused)
        assert "clickstream local status" in refused.hint
    assert CliRunner().invoke(local, ["status"]).exit_code == 1
