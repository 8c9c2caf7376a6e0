"""The page on a whole round of fraud, typed as it stands there, beside a live worker.

How long each line took goes to build/fraud-walkthrough.json; the page tells those of a quiet machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clickstream.events import Purchase, decode
from clickstream.models.fraud import labels, scoring
from clickstream.settings import environment
from tests.integration.examples.page import commands, steps
from tests.integration.fraud.application import Fraud
from tests.integration.resharding.platform import DEADLINE_S

pytestmark = [pytest.mark.integration, pytest.mark.java]

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "fraud-from-history-to-retraining.md"


def test_every_line_pastes_and_ends_at_the_rules(fraud: Fraud, tmp_path: Path) -> None:
    first, *blocks = steps(PAGE)
    assert (first.kind, first.text) == ("keep running", "clickstream up --only aws,fraud,serve\n")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    told, took_s = {}, {}
    # variables of the shell go from block to block in a file
    kept = tmp_path / "variables"
    kept.touch()
    with fraud.worker("w1") as worker:
        for command in (command for block in blocks for command in commands(block.text)):
            script = f'set -a; . "{kept}"; set -e\n{command}\ndeclare -p FIRST SECOND 2>/dev/null > "{kept}" || true\n'
            began = time.monotonic()
            done = subprocess.run(
                ["bash", "-c", script],
                env=environment(fraud.settings)
                | {"PATH": path, "OMP_NUM_THREADS": "1"},  # others run beside: threads would wait for each other
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=DEADLINE_S,
                check=False,
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
            took_s[command] = round(time.monotonic() - began, 1)
            told[command] = done.stdout + done.stderr
            if command.startswith("clickstream produce"):
                fraud.wait_for([decode(line) for line in (tmp_path / "live.ndjson").read_bytes().splitlines()], worker)
    Path("build").mkdir(exist_ok=True)
    Path("build/fraud-walkthrough.json").write_text(json.dumps(took_s, indent=2))
    purchases = sum(isinstance(decode(line), Purchase) for line in (tmp_path / "live.ndjson").read_bytes().splitlines())
    assert f"{purchases:,} purchases" in told['clickstream models shadow "$FIRST" --labels truth.csv']
    assert "blocked" in told['clickstream models promote fraud "$FIRST" --dry-run']
    known, truth = (labels.parse((tmp_path / name).read_bytes(), name) for name in ("known.csv", "truth.csv"))
    assert known == truth
    back = told["clickstream models rollback fraud"]
    assert "the rules decide" in back
    pointer = fraud.registry.current(scoring.MODEL)
    assert pointer is not None
    assert pointer.version is None
