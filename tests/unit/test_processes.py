"""Real processes: tethered and detached, watched, ended in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from clickstream.infra.local.processes import Children, Died, NotReady, Process, end, start_detached, start_time, wait_until

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
#: does not end on SIGTERM, and has a child that would outlive it
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, subprocess, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print(child.pid, flush=True)\n"
    "time.sleep(600)",
]


def _eventually(condition: Callable[[], bool], what: str) -> None:
    wait_until(condition, what, time.monotonic() + 20, check=lambda: None)


def _says_something(process: Process) -> bool:
    return process.last_words() != ""


def test_children_end_with_the_block(tmp_path: Path) -> None:
    with Children() as children:
        process = children.start("sleeper", SLEEPER, environment=None, log=tmp_path / "log")
        _eventually(lambda: process.last_words() == "up", "the child")
        children.check()
        assert process.is_running()
    assert not process.is_running()


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("print('first'); raise SystemExit('out of luck')", "oracle ended with exit code 1: out of luck"),
        ("pass", "oracle ended with exit code 0"),
        ("import os; print('starting', flush=True); os.abort()", "oracle ended by SIGABRT"),
        ('print(\'{"event": "lost the lease", "level": "error"}\')', "oracle ended with exit code 0: lost the lease"),
        (
            "print('clickstream: no stream\\nhint: make one'); raise SystemExit(1)",
            "oracle ended with exit code 1: clickstream: no stream; hint: make one",
        ),
        ("print('[1]')", "oracle ended with exit code 0: [1]"),
    ],
)
def test_a_child_that_ends_by_itself_is_named_with_its_log(program: str, said: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Children() as children:
        process = children.start("oracle", [sys.executable, "-c", program], environment=None, log=log)
        _eventually(lambda: not process.is_running(), "the end")
        with pytest.raises(Died) as caught:
            children.check()
    assert str(caught.value) == f"{said} (log: {log})"


def test_who_does_not_end_is_killed_with_its_whole_session(tmp_path: Path) -> None:
    children = Children()
    process = children.start("stubborn", STUBBORN, environment=None, log=tmp_path / "log")
    _eventually(lambda: _says_something(process), "the child")
    grandchild = int(process.last_words())
    assert children.stop(time.monotonic() + 0.2) == [process]
    assert not process.is_running()
    _eventually(lambda: start_time(grandchild) is None, "the grandchild's end")


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_children_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom clickstream.infra.local.processes import Children\n"
        f"p = Children().start('sleeper', {SLEEPER!r}, environment=None, log=Path({str(tmp_path / 'log')!r}))\n"
        "print(p.pid, flush=True)\ntime.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert start_time(pid) is not None
        parent.kill()
    _eventually(lambda: start_time(pid) is None, "the orphan's end")


def test_a_detached_process_is_its_own_leader_and_reparented(tmp_path: Path) -> None:
    process = start_detached("sleeper", SLEEPER, environment=os.environ, log=tmp_path / "log")
    try:
        _eventually(lambda: _says_something(process), "the process")
        assert os.getsid(process.pid) == process.pid
        with pytest.raises(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)
    finally:
        assert end([process], time.monotonic() + 20) == []
    assert not process.is_running()


def test_a_pid_that_came_back_is_not_touched(tmp_path: Path) -> None:
    with Children() as children:
        process = children.start("sleeper", SLEEPER, environment=None, log=tmp_path / "log")
        _eventually(lambda: _says_something(process), "the child")
        stranger = msgspec.structs.replace(process, started="before")
        stranger.signal(signal.SIGKILL)
        assert end([stranger], time.monotonic() + 1) == []
        assert process.is_running()


def test_the_unreaped_do_not_count_as_running() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as popen:
        _eventually(lambda: start_time(popen.pid) is None, "the zombie")
        assert popen.returncode is None


def test_waiting_has_a_deadline_and_a_reason_to_give_up() -> None:
    with pytest.raises(NotReady, match="the moon did not become ready"):
        wait_until(lambda: False, "the moon", time.monotonic(), check=lambda: None)

    def check() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wait_until(lambda: False, "the moon", time.monotonic() + 60, check=check)
