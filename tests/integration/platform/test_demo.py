"""``make demo``'s program, whole: it ends by itself with an exact summary, or on Ctrl-C, and leaves nothing running."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clickstream.infra.local import ministack, stack
from clickstream.settings import child_environment, from_env

pytestmark = pytest.mark.integration

_DEADLINE_S = 150


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


def _demo(directory: Path, *arguments: str) -> subprocess.Popen[str]:
    # the session's environment of ministack, but a directory of our own for logs and ledger
    home = from_env().local_dir.absolute()
    ministack.install(home, stack.quiet)
    (directory / "ministack").symlink_to(home / "ministack")
    return subprocess.Popen(
        [sys.executable, "-m", "clickstream.load.demo", *arguments],
        env=child_environment({"CLICKSTREAM_LOCAL_DIR": str(directory), "CLICKSTREAM_COMMIT_S": "20"}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _running_in(directory: Path) -> list[str]:
    """Processes whose environment names the directory: every part of the demonstration inherits it."""
    marked: list[str] = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"CLICKSTREAM_LOCAL_DIR={directory}".encode() in environment.read_bytes().split(b"\0"):
                marked.append((environment.parent / "cmdline").read_text().replace("\0", " "))
        except OSError:  # it ended while we looked, or is not ours
            continue
    return marked


def test_it_ends_by_itself_with_an_exact_summary(tmp_path: Path, port: int) -> None:
    demo = _demo(tmp_path, "--seconds", "8", "--rate", "250", "--port", str(port))
    out, err = demo.communicate(timeout=_DEADLINE_S)

    assert demo.returncode == 0, err
    summary = json.loads(out.splitlines()[-1])
    assert summary["sent"] == summary["put"] > 1_500
    assert (summary["lost"], summary["duplicated"], summary["wrong"]) == (0, 0, 0)
    assert summary["dead_lettered"] > 0
    assert 0 < summary["p50_ms"] <= summary["p99_ms"]
    assert summary["complete_to"].endswith("Z")
    assert f"http://127.0.0.1:{port}" in err
    assert "first aggregates after" in err
    assert "\nexport AWS_ENDPOINT_URL=" in err  # for a second terminal
    assert f"exact: {summary['sent']:,} sent, {summary['put']:,} put, 0 lost, 0 duplicated, 0 wrong" in err
    if sys.platform == "linux":
        assert _running_in(tmp_path) == []


def test_without_an_end_it_runs_until_ctrl_c(tmp_path: Path, port: int) -> None:
    demo = _demo(tmp_path, "--rate", "100", "--port", str(port))
    try:
        deadline = time.monotonic() + _DEADLINE_S
        while not _counts_events(port):
            assert demo.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
        demo.send_signal(signal.SIGINT)
        out, err = demo.communicate(timeout=_DEADLINE_S)
    finally:
        if demo.poll() is None:
            demo.terminate()
            demo.communicate(timeout=_DEADLINE_S)

    assert demo.returncode == 0, err
    assert out == ""
    assert "Traceback" not in err
    if sys.platform == "linux":
        assert _running_in(tmp_path) == []


def _counts_events(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/v1/aggregates?granularity=hour")
        answer = connection.getresponse()
        return answer.status == http.HTTPStatus.OK and bool(json.loads(answer.read())["windows"])
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def test_a_taken_port_is_told_in_one_line_and_nothing_is_started(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        demo = _demo(tmp_path, "--seconds", "1", "--port", str(taken))
        out, err = demo.communicate(timeout=_DEADLINE_S)

    assert demo.returncode == 1
    assert out == ""
    assert f"port {taken} is taken" in err
    assert "Traceback" not in err
    assert not (tmp_path / "runs").exists()
