"""The wheel that a user installs: every package of the platform, and no benchmark."""

from __future__ import annotations

import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest
from uv import find_uv_bin

_ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The Python sources in the wheel, by their paths. uv keeps the build backend from when it installed the project."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [find_uv_bin(), "build", "--wheel", "--offline", "--quiet", "--out-dir", str(folder), str(_ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (file,) = folder.glob("*.whl")
    with ZipFile(file) as content:
        return {name: content.read(name).decode() for name in content.namelist() if name.endswith(".py")}


def test_benchmarks_are_not_installed(wheel: dict[str, str]) -> None:
    assert {"clickstream/cli.py", "clickstream/load/commands.py", "clickstream/load/demo/__main__.py"} <= wheel.keys()
    assert [name for name in wheel if name.startswith("clickstream/load/benchmarks")] == []


def test_nothing_that_is_installed_needs_a_benchmark(wheel: dict[str, str]) -> None:
    assert [name for name, source in wheel.items() if "clickstream.load.benchmarks" in source] == []


def test_the_wheel_takes_one_name_from_those_who_install_it(wheel: dict[str, str]) -> None:
    assert {name.partition("/")[0] for name in wheel} == {"clickstream"}
