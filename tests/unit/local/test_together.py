"""The parts of one `clickstream up` are watched together."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from clickstream.infra.local import together
from clickstream.infra.local.processes import Died
from clickstream.infra.local.run import Run
from clickstream.settings import Settings


def test_the_aws_is_seen_to_end_while_a_part_waits_for_its_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    delays = iter((0.0, 600.0))
    monkeypatch.setattr(together, "delay", lambda _ends, _now: next(delays))
    said: list[str] = []
    run = Run(tmp_path, datetime.now(UTC))
    run.begin()
    parts = together.Parts(Settings(), run, say=said.append)
    try:
        parts.begin(together.Part("fraud", [sys.executable, "-c", ""], parts.workers, None))
        kinesis = [sys.executable, "-c", "import time; time.sleep(3)"]
        parts.aws.start("kinesis", kinesis, environment=None, log=tmp_path / "log")
        with pytest.raises(Died, match="kinesis ended"):
            parts.watch(Event())
    finally:
        parts.stop()
    assert next(delays, None) is None
    assert [line for line in said if "started again" in line] == [
        f"fraud ended with exit code 0 (log: {run.logs / 'fraud.log'}); started again (log: {run.logs / 'fraud.2.log'})"
    ]
