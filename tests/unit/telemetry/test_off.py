"""Off is free: no process that does not trace carries the tracing libraries, or is wrapped in anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clickstream.consumers.needs import applications
from clickstream.consumers.runtime.state.snapshots import SnapshotStore
from clickstream.consumers.runtime.worker.child import load_application, prepare
from clickstream.settings import Settings

ROOT = Path(__file__).parents[3]
_ON = "from clickstream.settings import Settings\nfrom clickstream.consumers.runtime.worker.child import prepare\n"


def _loaded(program: str) -> set[str]:
    told = "\nimport sys\nprint(*sorted({name.split('.')[0] for name in sys.modules}))"
    said = subprocess.run([sys.executable, "-c", program + told], capture_output=True, text=True, cwd=ROOT, check=True)
    return set(said.stdout.split())


@pytest.mark.parametrize("application", applications())
def test_a_worker_that_does_not_trace_carries_no_tracing_library(application: str) -> None:
    assert "opentelemetry" not in _loaded(f"{_ON}prepare({application!r}, Settings())")


def test_neither_do_the_collector_and_the_server() -> None:
    program = (
        "import clickstream.producers.collector.app, clickstream.producers.collector.commands\n"
        "import clickstream.producers.publisher.kinesis\n"
        "import clickstream.serving.app, clickstream.serving.commands"
    )
    assert "opentelemetry" not in _loaded(program)


def test_a_worker_that_traces_does_carry_it() -> None:
    """So that the tests above cannot pass because a name has changed."""
    assert "opentelemetry" in _loaded(f"{_ON}prepare('analytics', Settings(trace_sampling=0.5))")


def test_off_nothing_stands_between_the_loop_and_its_application() -> None:
    prepared = prepare("analytics", Settings())
    assert prepared.application is load_application("analytics")
    assert type(prepared.surroundings.store) is SnapshotStore
