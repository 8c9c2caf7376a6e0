"""How long the JVM pauses before a read that may be refused."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from clickstream.consumers.runtime.worker import java
from tests.integration.workers.test_kcl_reads_ours import unavailable

pytestmark = [pytest.mark.integration, pytest.mark.java]

SOURCE = Path(__file__).with_name("Pause.java")


def paused(*answers: str) -> list[float]:
    """Before the read that follows each of these answers, in units of the pace; after a refusal give or take a quarter."""
    if shutil.which("javac") is None:
        unavailable("no javac")
    command = ["java", "-cp", ":".join(map(str, java.class_path())), str(SOURCE)]
    done = subprocess.run(command, input="\n".join(answers), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return [int(line) / 1000 for line in done.stdout.split()]


def test_who_is_behind_yields_and_who_is_not_asks_again_at_its_pace() -> None:
    answers = ["0", "refused", "refused", "1000", "refused", "90000", *["refused"] * 6, "80000", "70000", "0", "refused"]
    pauses = dict(enumerate(paused(*answers)))
    assert [pauses[read] for read in (0, 3, 5, 14)] == [1, 1, 1, 1]
    assert [pauses[read] for read in (1, 2, 4, 15)] == pytest.approx([1, 1, 1, 1], abs=0.25)
    assert [pauses[read] for read in range(6, 12)] == pytest.approx([2, 4, 8, 16, 16, 16], rel=0.25)
    assert [pauses[12], pauses[13]] == pytest.approx([14.4, 12.96])
