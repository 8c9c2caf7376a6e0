"""What counts as a hang, and what becomes of a process that does."""

from __future__ import annotations

import subprocess
import sys

import pytest

from clickstream.consumers.runtime.faults.watchdog import EXIT_HUNG, Watch, WatchedExecutor

HANGS = """
import threading
from clickstream.consumers.runtime.faults.watchdog import Watch, start

def stuck_here():
    threading.Event().wait()

watch = Watch(0.2)
start(watch, lambda: None, look_s=0.02)
with watch.over("processRecords"):
    stuck_here()
"""


class Turned:
    """A monotonic clock in the test's hand, and a look at every second of it, as the watchdog's thread takes."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.watch = Watch(300, clock=lambda: self.now)

    def looks(self, seconds: int, *, trouble: bool = False) -> str | None:
        """The first hang that is seen within so many seconds; with ``trouble`` a dependency fails all the time."""
        for _ in range(seconds):
            self.now += 1
            if (work := self.watch.hanging(self.now if trouble else None)) is not None:
                return work
        return None


@pytest.fixture
def turned() -> Turned:
    return Turned()


def test_work_that_takes_too_long_hangs(turned: Turned) -> None:
    with turned.watch.over("processRecords"):
        assert turned.looks(300) is None
        assert turned.looks(1) == "processRecords"


def test_idle_is_no_hang_and_each_work_has_its_own_time(turned: Turned) -> None:
    assert turned.looks(1_000) is None
    with turned.watch.over("processRecords"):
        assert turned.looks(200) is None
    with turned.watch.over("processRecords"):
        assert turned.looks(200) is None


def test_waiting_for_a_dependency_that_fails_is_no_hang(turned: Turned) -> None:
    with turned.watch.over("commit"):
        assert turned.looks(2_000, trouble=True) is None
        last = turned.now
        assert turned.watch.hanging(last) is None
        assert turned.looks(300) == "commit", "it came back, the work did not"


def test_a_process_that_was_stopped_did_not_hang(turned: Turned) -> None:
    with turned.watch.over("processRecords"):
        turned.looks(10)
        turned.now += 3_600
        assert turned.looks(299) is None
        assert turned.looks(3) == "processRecords"


def test_the_executors_work_is_watched_until_it_ends(turned: Turned) -> None:
    seen: list[str | None] = []

    def work() -> str:
        turned.looks(299)
        seen.append(turned.looks(5))
        return "done"

    with WatchedExecutor(turned.watch, "commit") as executor:
        assert executor.submit(work).result(10) == "done"
    assert seen == ["commit"]
    assert turned.looks(1_000) is None


def test_a_process_that_hangs_ends_and_says_where_it_hung() -> None:
    ended = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == EXIT_HUNG
    assert "stuck_here" in ended.stderr
    assert "processRecords" in ended.stdout + ended.stderr
