"""The supervisor over real processes: small Python programs in the daemon's place."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clickstream.consumers.runtime.worker.worker_lock import lock
from clickstream.errors import UserMistake

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and only Linux tells of a parent's death")

DEADLINE_S = 20.0

SUPERVISOR = """
import json, os, sys, structlog
from clickstream.consumers.runtime.worker.restarts import RestartPolicy
from clickstream.consumers.runtime.worker.supervisor import Processes
from clickstream.consumers.runtime.worker.supervisor import Supervisor
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
told = json.loads(sys.argv[1])
def program(source): return source and [sys.executable, "-c", source, told["notes"]]
companion = told["companion"] and (lambda _: os.execv(sys.executable, program(told["companion"])))
processes = Processes(daemon=program(told["daemon"]), companion=companion, environment={})
slowly = told["moved"] is not None  # no window holds two starts: each counts as a slow death
policy = RestartPolicy(budget=3, window_s=0.0 if slowly else 60.0, first_delay_s=0.01, barren=4)
moved = list(told["moved"] or [])
barren = 0
def count(lived_s):
    assert 0 < lived_s < 60, lived_s
    global barren
    barren = 0 if moved and moved.pop(0) else barren + 1
    return barren if slowly else 0
sys.exit(Supervisor(processes, policy, drain_s=told["drain_s"], count=count).run())
"""

#: Notes its pid and the signals it gets. ``end`` says what a signal makes of it.
DAEMON = """
import os, signal, sys
def note(text):
    with open(sys.argv[1], "a") as file: file.write(text + "\\n")
def on(number, frame):
    note(signal.Signals(number).name)
    if number == signal.SIGTERM: {on_term}
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP): signal.signal(number, on)
note(f"up {{os.getpid()}}")
while True: signal.pause()
"""
OBEDIENT = DAEMON.format(on_term="sys.exit(143)")
STUBBORN = DAEMON.format(on_term="pass")
DYING = "import sys; open(sys.argv[1], 'a').write('up 0\\n'); sys.exit(7)"
#: Dies, but leaves a process of its own behind.
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
open(sys.argv[1], "a").write(f"up {child.pid}\\n")
sys.exit(7)
"""


def until(condition: Callable[[], Any], what: str) -> Any:
    """Poll a condition until it holds; fails after a deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.01)
    return value


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Run:
    """One supervisor, in a session of its own as in a terminal."""

    def __init__(self, folder: Path, daemon: str, drain_s: float, companion: str | None, moved: list[bool] | None) -> None:
        self._notes = folder / "notes"
        self._notes.touch()
        notes = str(self._notes)
        told = json.dumps({"daemon": daemon, "companion": companion, "notes": notes, "drain_s": drain_s, "moved": moved})
        self.process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR, told], stderr=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
        )

    def notes(self) -> list[str]:
        return self._notes.read_text().split("\n")[:-1]

    def pids(self) -> list[int]:
        return [int(note.split()[1]) for note in self.notes() if note.startswith("up")]

    def daemon(self, starts: int = 1) -> int:
        """The pid of the daemon's ``starts``-th life, once it is up."""
        until(lambda: len(self.pids()) >= starts, f"start number {starts}")
        return self.pids()[starts - 1]

    def status(self) -> int:
        return self.process.wait(DEADLINE_S)


Start = Callable[..., Run]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    runs: list[Run] = []

    def begin(
        daemon: str, *, drain_s: float = DEADLINE_S, companion: str | None = None, moved: list[bool] | None = None
    ) -> Run:
        runs.append(Run(tmp_path, daemon, drain_s, companion, moved))
        return runs[-1]

    yield begin
    for run in runs:
        run.process.kill()
        run.process.communicate()


def test_sigterm_drains_the_daemon_and_143_is_success(start: Start) -> None:
    run = start(OBEDIENT)
    daemon = run.daemon()
    run.process.send_signal(signal.SIGTERM)
    assert run.status() == 0
    assert run.notes()[1:] == ["SIGTERM"]
    assert not is_alive(daemon)


def test_a_terminals_ctrl_c_reaches_the_supervisor_alone(start: Start) -> None:
    run = start(OBEDIENT)
    run.daemon()
    os.killpg(run.process.pid, signal.SIGINT)
    assert run.status() == 130
    assert run.notes()[1:] == ["SIGTERM"]


def test_a_daemon_that_dies_is_started_again(start: Start) -> None:
    run = start(OBEDIENT)
    os.kill(run.daemon(), signal.SIGKILL)
    second = run.daemon(starts=2)
    run.process.send_signal(signal.SIGTERM)
    assert run.status() == 0
    assert not is_alive(second)


def test_a_daemon_that_will_not_live_is_given_up(start: Start) -> None:
    run = start(DYING)
    assert run.status() == 1
    assert len(run.notes()) == 3


def test_a_daemon_that_dies_slowly_is_given_up_once_no_life_of_it_moves_anything(start: Start) -> None:
    run = start(DYING, moved=[False, False, False, True, False])
    assert run.status() == 1
    assert len(run.notes()) == 4 + 4, "one that moved a shard begins the count anew"


def test_a_daemon_that_will_not_stop_is_killed_at_the_deadline(start: Start) -> None:
    run = start(STUBBORN, drain_s=0.2)
    daemon = run.daemon()
    run.process.send_signal(signal.SIGTERM)
    assert run.status() == 1
    assert not is_alive(daemon)


def test_a_second_signal_ends_the_drain(start: Start) -> None:
    run = start(STUBBORN)
    daemon = run.daemon()
    run.process.send_signal(signal.SIGTERM)
    until(lambda: "SIGTERM" in run.notes(), "the daemon was asked to stop")
    run.process.send_signal(signal.SIGTERM)
    assert run.status() == 1
    assert not is_alive(daemon)


def test_the_daemon_dies_with_a_killed_supervisor(start: Start) -> None:
    run = start(STUBBORN)
    daemon = run.daemon()
    run.process.kill()
    until(lambda: not is_alive(daemon), "the daemon is dead")


def test_nothing_of_a_dead_daemon_stays_behind(start: Start) -> None:
    run = start(PARENT)
    assert run.status() == 1
    assert len(run.pids()) == 3
    assert not any(is_alive(pid) for pid in run.pids())


def test_daemon_and_companion_live_and_die_together(start: Start) -> None:
    run = start(STUBBORN, companion=OBEDIENT, drain_s=0.2)
    run.daemon(starts=2)
    os.kill(run.pids()[0], signal.SIGKILL)
    run.daemon(starts=4)
    assert not any(is_alive(pid) for pid in run.pids()[:2])
    run.process.send_signal(signal.SIGTERM)
    assert run.status() == 1
    assert not any(is_alive(pid) for pid in run.pids())


def test_only_the_daemon_is_asked_to_drain(start: Start) -> None:
    run = start(OBEDIENT, companion=STUBBORN)
    run.daemon(starts=2)
    run.process.send_signal(signal.SIGTERM)
    assert run.status() == 0
    assert run.notes()[2:] == ["SIGTERM"]
    assert not any(is_alive(pid) for pid in run.pids())


def test_stdout_stays_clean(start: Start) -> None:
    run = start("import sys; print('noise'); " + DYING)
    said, _ = run.process.communicate(timeout=DEADLINE_S)
    assert said == b""


def test_two_daemons_never_share_a_worker_id(tmp_path: Path) -> None:
    first = lock(tmp_path / "shop-analytics-1.lock")
    with pytest.raises(UserMistake, match=f"shop-analytics-1 is already running .pid {os.getpid()}") as caught:
        lock(tmp_path / "shop-analytics-1.lock")
    assert "-w" in caught.value.hint
    os.close(first)
    os.close(lock(tmp_path / "shop-analytics-1.lock"))


def test_the_id_is_held_until_the_last_process_that_inherited_it_is_gone(tmp_path: Path) -> None:
    held = lock(tmp_path / "w.lock")
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, pass_fds=[held]) as orphan:
        os.close(held)
        with pytest.raises(UserMistake):
            lock(tmp_path / "w.lock")
        orphan.kill()
    os.close(lock(tmp_path / "w.lock"))
