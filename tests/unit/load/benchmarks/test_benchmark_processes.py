"""``python -m clickstream.load.benchmarks``: an id a process; what becomes of the others when one fails or all must end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[4]
_PROGRAM = """
from clickstream.load.benchmarks import __main__ as program
names = ("told", "broken", "idle", "absent", "endless")
program.BENCHMARKS.update({name: f"tests.unit.load.benchmarks.quick_benchmarks:{name}" for name in names})
program.BENCHMARKS["again"] = program.BENCHMARKS["told"]
program.main()
"""


def _command(only: str) -> list[str]:
    return [sys.executable, "-c", _PROGRAM, "--only", only, "--rounds", "1", "--out", "bench.json"]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(_ROOT)}


def _run(only: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(only), cwd=folder, env=_environment(), capture_output=True, text=True, timeout=60, check=False
    )


def test_each_benchmark_is_measured_in_a_fresh_process_and_all_come_into_one_table_and_file(tmp_path: Path) -> None:
    done = _run("told,again", tmp_path)

    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "bench.json").read_text())
    assert content.keys() == {"told", "again", "machine"}
    assert content["told"]["ours"] != content["again"]["ours"]
    assert content["told"]["extra"]["ours parent"] == content["again"]["extra"]["ours parent"]
    assert [line.split()[1] for line in done.stdout.splitlines()[2:4]] == ["told", "again"]
    assert done.stderr.count("(1.00)") == 2


@pytest.mark.parametrize(
    ("name", "why"),
    [("broken", "ValueError: broken on purpose"), ("idle", "idle: the peer came to 0 pid, which nothing can be compared with")],
)
def test_one_that_fails_is_named_at_the_end_and_the_others_are_kept(name: str, why: str, tmp_path: Path) -> None:
    done = _run(f"told,{name},again", tmp_path)

    assert done.returncode == 1
    assert why in done.stderr
    assert done.stderr.splitlines()[-1] == f"benchmarks: failed: {name}"
    assert ("closed after all" in done.stderr) == (name == "broken")
    assert json.loads((tmp_path / "bench.json").read_text()).keys() == {"told", "again", "machine"}
    assert "| again |" in done.stdout


def test_one_whose_peer_cannot_be_had_is_named_as_not_run_and_is_no_failure(tmp_path: Path) -> None:
    done = _run("told,absent,again", tmp_path)

    assert done.returncode == 0
    assert "not run: its peer: there is no Maven" in done.stderr.splitlines()
    assert done.stderr.splitlines()[-1] == "benchmarks: not run: absent"
    assert json.loads((tmp_path / "bench.json").read_text()).keys() == {"told", "again", "machine"}


def test_ctrl_c_ends_the_benchmark_in_order_and_keeps_what_was_measured(tmp_path: Path) -> None:
    with subprocess.Popen(
        _command("told,endless,again"),
        cwd=tmp_path,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        deadline = time.monotonic() + 60
        while not (tmp_path / "began").exists():
            assert running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)

    assert running.returncode == 130
    assert (tmp_path / "closed").exists()
    assert err.splitlines()[-1] == "benchmarks: not measured: endless, again"
    assert "| told |" in out
    assert json.loads((tmp_path / "bench.json").read_text()).keys() == {"told", "machine"}
