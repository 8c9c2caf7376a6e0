"""``clickstream up``: every real part at once, and what happens when one of them goes."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from clickstream.aws import Clients
from clickstream.infra.local import ministack, stack, together
from clickstream.infra.local.processes import start_time
from clickstream.infra.local.run import STOP_SECONDS
from clickstream.settings import child_environment, from_env

pytestmark = [pytest.mark.integration, pytest.mark.java]


@contextmanager
def up(folder: Path, *arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """The program in ``folder``, its local_dir; stopped, and its streams closed, at the end."""
    home = from_env().local_dir.absolute()
    ministack.install(home, stack.quiet)
    (folder / "ministack").symlink_to(home / "ministack")
    ports = ("--port", "0", "--collect-port", "0", "--aws-port", "0", "--kinesis-port", "0")
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "clickstream.cli", "up", *ports, *arguments],
        env=child_environment({"CLICKSTREAM_LOCAL_DIR": str(folder), **variables}),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as program:
        try:
            yield program
        finally:
            program.send_signal(signal.SIGTERM)
            program.communicate(timeout=60)


def said_until_ready(program: subprocess.Popen[str]) -> str:
    assert program.stderr is not None
    said = ""
    for line in program.stderr:
        said += line
        if line == "clickstream: ready\n":
            break
    return said


def exported(line: str) -> dict[str, str]:
    """The variables of the line that is to be pasted."""
    command, *words = shlex.split(line)
    assert command == "export", line
    return dict(word.split("=", 1) for word in words)


def _children(pid: int) -> dict[str, int]:
    """Command line → process id of the direct children."""
    pids = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {Path(f"/proc/{child}/cmdline").read_text().replace("\0", " "): int(child) for child in pids}


def test_ready_means_that_every_part_answers_and_ctrl_c_is_a_clean_end(tmp_path: Path) -> None:
    """Behind a proxy that is not there, in a folder with files called like libraries, beside another's package ``load``."""
    (tmp_path / "queue.py").write_text("raise SystemExit('not the library')")
    (tmp_path / "others" / "load").mkdir(parents=True)
    (tmp_path / "others" / "load" / "__init__.py").write_text("raise SystemExit('not the platform')")
    around = {"http_proxy": "http://127.0.0.1:1", "PYTHONPATH": str(tmp_path / "others")}
    with up(tmp_path, "--shards", "2", "--origin", "http://127.0.0.1:3000", **around) as program:
        said = said_until_ready(program)
        found = re.search(r"http://127\.0\.0\.1:(\d+)", said)
        assert found, said
        assert stack.answers(int(found.group(1)), "/healthz")
        collecting = re.search(r"http://127\.0\.0\.1:(\d+)/v1/events", said)
        assert collecting, said
        assert stack.answers(int(collecting.group(1)), "/readyz")
        preflight = {"Origin": "http://127.0.0.1:3000", "Access-Control-Request-Method": "POST"}
        asked = urllib.request.Request(collecting[0], headers=preflight, method="OPTIONS")
        with urllib.request.urlopen(asked, timeout=10) as response:
            assert response.headers["Access-Control-Allow-Origin"] == "http://127.0.0.1:3000"

        assert program.stdout is not None
        line = program.stdout.readline()
        status = [sys.executable, "-P", "-m", "clickstream.cli", "local", "status"]
        variables = child_environment({"CLICKSTREAM_LOCAL_DIR": str(tmp_path)})
        assert subprocess.run(status, env=variables, check=True, capture_output=True, text=True).stdout == line
        settings = from_env(exported(line))
        settings = msgspec.structs.replace(settings, credentials=stack.CREDENTIALS)
        assert together.owns_every_shard(Clients(settings), settings, "analytics", since_ms=0)

        parts = _children(program.pid)
        assert len(parts) == 1 + len(together.names(unasked=True)), parts
        began = time.monotonic()
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=60)
        assert (program.returncode, out) == (0, ""), err
        summary = rf"^clickstream: stopped {len(parts)} parts in \d+ s, after \d+ s; nothing is kept without --state DIR$"
        assert re.search(summary, err, re.MULTILINE), err
        assert time.monotonic() - began < STOP_SECONDS
        assert [pid for pid in parts.values() if start_time(pid) is not None] == []
    lines = [json.loads(line) for line in (tmp_path / "latest" / "logs" / "analytics.log").read_text().splitlines()]
    assert lines[-1]["event"] == "the worker has stopped"
    assert [line for line in lines if not line.keys() >= {"event", "level", "timestamp"} or "exception" in line] == []


def test_a_killed_worker_is_started_again_and_without_its_aws_all_end(tmp_path: Path) -> None:
    with up(tmp_path, "--only", "aws,analytics", "--shards", "1") as program:
        said_until_ready(program)
        logs = (tmp_path / "latest").resolve() / "logs"
        _kill(program, "worker analytics")
        assert program.stderr is not None
        told = program.stderr.readline()
        assert told.startswith("clickstream: analytics ended by SIGKILL"), told
        assert told.endswith(f"(log: {logs / 'analytics.log'}); started again (log: {logs / 'analytics.2.log'})\n"), told
        parts = _children(program.pid)
        assert [command for command in parts if "worker analytics" in command]

        _kill(program, "infra.local.kinesis")
        _, err = program.communicate(timeout=60)
        assert program.returncode == 1
        assert "kinesis ended by SIGKILL (log: " in err.splitlines()[-1]
        assert "; ended before and started again: analytics 1;" in err
        assert [pid for pid in parts.values() if start_time(pid) is not None] == []


def _kill(program: subprocess.Popen[str], command: str) -> None:
    (pid,) = (pid for line, pid in _children(program.pid).items() if command in line)
    os.kill(pid, signal.SIGKILL)


def test_an_interrupt_before_ready_is_an_interrupt(tmp_path: Path) -> None:
    with up(tmp_path, "--only", "aws,analytics") as program:
        assert program.stderr is not None
        line = program.stderr.readline()
        while "started analytics" not in line:
            line = program.stderr.readline()
            assert line, "ended too early"
        parts = _children(program.pid)
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=60)
        assert program.returncode == 130
        assert [pid for pid in parts.values() if start_time(pid) is not None] == []


@pytest.mark.parametrize("option", ["--port", "--kinesis-port"])
def test_a_taken_port_is_named_with_its_option_before_anything_starts(tmp_path: Path, option: str) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with up(tmp_path, option, str(port)) as program:
            out, err = program.communicate(timeout=60)
    assert (program.returncode, out) == (1, "")
    assert err.splitlines()[0] == f"clickstream: port {port} is taken"
    assert err.splitlines()[1].startswith(f"hint: choose another with {option},")
    assert not (tmp_path / "runs").exists()
