"""``python -m clickstream.load.benchmarks``: an id a process; what becomes of the others when one fails or all must end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from clickstream.load.benchmarks import __main__ as program
from clickstream.load.benchmarks.harness import isolation

_WHERE = "broken on purpose (quick_benchmarks.py:43)"
_ROOT = Path(__file__).parents[4]
_PROGRAM = """
from clickstream.load.benchmarks import __main__ as program
from clickstream.load.benchmarks.harness import isolation
names = ("told", "broken", "idle", "killed", "hung", "absent", "endless", "sized")
program.BENCHMARKS.update({name: f"tests.unit.load.benchmarks.quick_benchmarks:{name}" for name in names})
program.BENCHMARKS["again"] = program.BENCHMARKS["told"]
program.QUICK = {"sized": {"size": 10}}
isolation.WHOLE = isolation.Effort(side_s=0.5)
program.main()
"""


def _command(only: str) -> list[str]:
    return [sys.executable, "-c", _PROGRAM, "--only", only, "--rounds", "1", "--out", "bench.json"]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(_ROOT)}


def _run(only: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*_command(only), *options], cwd=folder, env=_environment(), capture_output=True, text=True, timeout=60, check=False
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


def test_whatever_a_side_does_the_run_finishes_says_so_and_tells_why(tmp_path: Path) -> None:
    done = _run("told,broken,idle,killed,hung,absent,again", tmp_path)

    assert done.returncode == 0, done.stderr
    assert "closed after all" in done.stderr
    kept = json.loads((tmp_path / "bench.json").read_text())
    assert {name: tuple(result["reasons"]) for name, result in kept.items() if result.get("reasons")} == {
        "broken": tuple(f"{side}: a fault of this program: ValueError: {_WHERE}" for side in ("ours", "the peer")),
        "idle": ("the peer: came to 0 pid",),
        "killed": ("its process ended with SIGKILL",),
        "hung": ("the peer: did not end in time",),
        "absent": ("cannot be had here: its peer: there is no Maven",),
    }
    assert [(kept[name]["ours"], kept[name]["peer"], kept[name]["ratio"]) for name in ("idle", "hung")] == [
        (7, 0, None),
        (7, None, None),
    ]
    assert re.fullmatch(r"finished in .*: of 7 benchmarks 4 reach .* 3 have no verdict", done.stdout.splitlines()[-1])


def test_a_process_that_hears_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "_STOP_S", 0.2)

    result = isolation.measured("tests.unit.load.benchmarks.quick_benchmarks:deaf", isolation.Effort(benchmark_s=1.0), {})

    assert result.reasons == ("its process did not end within 1 s",)


def test_one_run_alone_and_at_its_quick_size_takes_its_place_among_the_results_of_before(tmp_path: Path) -> None:
    _run("told,sized", tmp_path)
    before = json.loads((tmp_path / "bench.json").read_text())

    _run("sized", tmp_path, "--quick")

    after = json.loads((tmp_path / "bench.json").read_text())
    assert after["told"] == before["told"]
    assert [kept["sized"]["ours"] for kept in (before, after)] == [1_000, 10]


def test_a_quick_run_is_no_documentation() -> None:
    assert "no documentation" in CliRunner().invoke(program.main, ["--quick", "--write-docs"]).output


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
    assert err.splitlines()[-1] == "interrupted"
    assert re.match(r"ended early after .*, 2 not measured: of 1 benchmarks", out.splitlines()[-1])
    assert "| told |" in out
    assert json.loads((tmp_path / "bench.json").read_text()).keys() == {"told", "machine"}
