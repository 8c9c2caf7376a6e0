"""A part that ends is started again, within a budget."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clickstream.infra.local import restarting
from clickstream.infra.local.processes import Process
from clickstream.infra.local.restarting import BUDGET, WINDOW_SECONDS, delay
from clickstream.infra.local.run import Run
from clickstream.infra.local.together import EndedTooOften, Part, Parts
from clickstream.settings import Settings


def test_the_first_end_is_answered_at_once_and_further_ones_wait_longer() -> None:
    assert [delay([10.0 * n for n in range(ends)], 10.0 * ends) for ends in range(1, BUDGET + 2)] == [0.0, 1.0, 2.0, None]


def test_what_ended_long_ago_does_not_count() -> None:
    assert delay([WINDOW_SECONDS * n for n in range(9)], WINDOW_SECONDS * 8) == 0.0
    assert delay([0.0, 1.0, 2.0, WINDOW_SECONDS + 1.5], WINDOW_SECONDS + 1.5) == 1.0


@pytest.fixture
def watched(tmp_path: Path) -> Callable[[str], tuple[Parts, list[str]]]:
    """Parts of one program, started in a folder of its own; what is said of them."""

    def start(program: str) -> tuple[Parts, list[str]]:
        said: list[str] = []
        parts = Parts(Settings(local_dir=tmp_path), run := Run(tmp_path, datetime.now(UTC)), say=said.append)
        part = Part("oracle", [sys.executable, "-c", program], parts.serving, None)
        run.begin()
        parts.begin(part)
        return parts, said

    return start


def test_what_is_killed_is_started_again_with_a_log_of_its_own(watched: Callable[[str], tuple[Parts, list[str]]]) -> None:
    parts, said = watched("import time; time.sleep(600)")
    requested = threading.Event()
    first = _only(parts)
    first.signal(signal.SIGKILL)
    watching = threading.Thread(target=parts.watch, args=(requested,))
    watching.start()
    try:
        while not any("started again" in line for line in said):
            assert watching.is_alive(), said
            watching.join(0.05)
        second = _only(parts)
        assert second.pid != first.pid
        assert second.is_running()
        assert said[-1] == f"oracle ended by SIGKILL (log: {first.log}); started again (log: {second.log})"
    finally:
        requested.set()
        watching.join()
        parts.stop()
    assert said[-1].endswith("; ended before and started again: oracle 1")


def test_what_ends_again_and_again_ends_the_run_with_a_reason(
    watched: Callable[[str], tuple[Parts, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restarting, "_FIRST_DELAY_SECONDS", 0.0)
    parts, said = watched("raise SystemExit('no room')")
    with pytest.raises(EndedTooOften, match=r"^oracle ended with exit code 1: no room \(log: .*\), 4 times within 5 minutes$"):
        parts.watch(threading.Event())
    assert parts.stop() == []
    assert sum("started again" in line for line in said) == BUDGET


def _only(parts: Parts) -> Process:
    ((process, _),) = parts.serving._started
    return process
