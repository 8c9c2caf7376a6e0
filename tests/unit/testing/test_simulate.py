"""`clickstream simulate MODULE`: a right application passes, a wrong one is shown small, an unknown call is named."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
WRONG = """
from tests.unit.testing.folds import NEEDS as RIGHT, RELATIVE_EFFECTS as APPLICATION
import msgspec
NEEDS = msgspec.structs.replace(RIGHT, wiring=__name__)
"""
ASKS = """
from tests.unit.testing.folds import NEEDS as RIGHT, GuardedRows, TallyFold, tally
import msgspec
NEEDS = msgspec.structs.replace(RIGHT, wiring=__name__)
class Asking(GuardedRows):
    def write(self, effects, position):
        try:
            self._dynamodb.query(TableName="t")
        except Exception:
            pass
APPLICATION = tally(TallyFold, Asking)
"""
BREAKS = """
from tests.unit.testing.folds import NEEDS as RIGHT, TallyFold, tally
import msgspec
NEEDS = msgspec.structs.replace(RIGHT, wiring=__name__)
class Breaking(TallyFold):
    def fold(self, event):
        raise KeyError("colour")
APPLICATION = tally(Breaking)
"""


def simulate(folder: Path, module: str, *options: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "clickstream.cli", "simulate", module, "--processes", "1", *options],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_right_application_keeps_its_promise(tmp_path: Path) -> None:
    run = simulate(tmp_path, "tests.unit.testing.folds", "--seeds", "20")
    assert run.returncode == 0, run.stderr
    summary = json.loads(run.stdout)
    assert (summary["seeds"], summary["failures"]) == (20, {})
    assert summary["events"] > 1_000


def test_a_wrong_one_is_shown_in_its_smallest_world(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(WRONG)
    run = simulate(tmp_path, "wrong", "--seeds", "1")
    assert run.returncode == 1
    assert "0" in json.loads(run.stdout)["failures"]
    _, _, smaller = run.stderr.partition("smaller: ")
    assert smaller.startswith("clickstream simulate wrong --seed 0 --trace --plan '{")
    plan = json.loads(smaller.split("'")[1])
    again = simulate(tmp_path, "wrong", "--seed", "0", "--plan", json.dumps(plan))
    assert again.returncode == 1
    assert "tally-users" in again.stdout


@pytest.mark.parametrize(
    ("code", "says"), [(ASKS, "dynamodb.query is not simulated"), (BREAKS, "KeyError: 'colour' (broken.py:7)")]
)
def test_what_the_application_does_wrong_is_named(tmp_path: Path, code: str, says: str) -> None:
    (tmp_path / "broken.py").write_text(code)
    run = simulate(tmp_path, "broken", "--seed", "0")
    assert run.returncode == 1
    assert says in run.stdout + run.stderr


@pytest.mark.parametrize(
    "what", ["import clickstream.testing", "from clickstream.cli import main; main(['simulate', 'tally'])"]
)
@pytest.mark.parametrize("name", ["greenlet", "hypothesis"])
def test_without_the_extra_one_line_says_what_to_install(name: str, what: str) -> None:
    away = f"""
import sys
from importlib.machinery import PathFinder
class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name == {name!r} else PathFinder.find_spec(name, path, target)
sys.meta_path = [Without if each is PathFinder else each for each in sys.meta_path]
"""
    done = subprocess.run([sys.executable, "-c", away + what], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{name} is not installed: pip install 'clickstream[testing]'" in done.stderr
    assert ("Traceback" in done.stderr) == what.startswith("import")


def test_a_seed_replays_exactly(tmp_path: Path) -> None:
    traces = [
        simulate(tmp_path, "tests.unit.testing.folds", "--seed", "3", "--trace", hash_seed=hash_seed).stderr
        for hash_seed in ("1", "2")
    ]
    assert len(traces[0].splitlines()) > 500
    assert traces[0] == traces[1]
