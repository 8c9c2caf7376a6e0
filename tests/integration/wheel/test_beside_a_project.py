"""The wheel in an environment of its own, beside a project whose packages are called as ours once were."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.wheel.fresh import ROOT, Environment

_NAMES = ("models", "load", "infra", "tests", "serving", "producers", "consumers")
_PYPROJECT = f"""
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "shop"
version = "1"
[tool.hatch.build.targets.wheel]
packages = [{", ".join(map(repr, _NAMES))}]
"""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """With the wheel and, after it, the project."""
    folder = tmp_path_factory.mktemp("wheel")
    environment = Environment(folder / "environment")
    environment.install(ROOT, folder / "ours")
    project = folder / "shop"
    for name in _NAMES:
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").write_text("WHOSE = 'the shop'\n")
        (project / name / "commands.py").write_text("WHOSE = 'the shop'\n")
    (project / "pyproject.toml").write_text(_PYPROJECT)
    environment.install(project, folder / "theirs")
    return environment


def test_both_sides_import_their_own(fresh: Environment, tmp_path: Path) -> None:
    program = f"""
import clickstream.load.commands, clickstream.models.commands, clickstream.infra.local.commands, clickstream.serving.app
import clickstream.producers.commands, clickstream.consumers.runtime.worker.child as child
print(clickstream.__file__)
print(child.load_application("fraud").name)
for name in {_NAMES}:
    module = __import__(name + ".commands")
    assert module.WHOSE == module.commands.WHOSE == "the shop", module
"""
    ours, fraud = fresh.run([fresh.program("python"), "-c", program], cwd=tmp_path).splitlines()
    assert Path(ours) == fresh.packages / "clickstream" / "__init__.py", "the checkout was tested, not the wheel"
    assert fraud == "fraud"


def test_the_command_runs_beside_them(fresh: Environment, tmp_path: Path) -> None:
    for name in _NAMES:  # the current folder's own, too
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('not asked for')")
    said = fresh.run([fresh.program("clickstream"), "--help"], cwd=tmp_path)
    assert "clickstream local start" in said
    for group in ("load", "models", "local", "new"):
        assert "Commands:" in fresh.run([fresh.program("clickstream"), group, "--help"], cwd=tmp_path)
    properties = fresh.run([fresh.program("clickstream"), "worker", "analytics", "--print-properties"], cwd=tmp_path)
    assert "clickstream-analytics-1" in properties


def test_a_new_application_passes_its_own_test(fresh: Environment, tmp_path: Path) -> None:
    fresh.run([fresh.program("clickstream"), "new", "application", "wish-list"], cwd=tmp_path)
    project = tmp_path / "wish-list"
    worker: list[str | Path] = [fresh.program("clickstream"), "worker"]
    events = {"CLICKSTREAM_EVENTS": str(project / "wish_list_events")}
    named = fresh.run([*worker, "wish_list", "--print-properties"], cwd=project, **events)
    assert "clickstream-wish-list-1" in named, "found in the current folder"
    fresh.install(project, tmp_path / "wheels")
    for variables in ({}, events):
        named = fresh.run([*worker, "wish-list", "--print-properties"], cwd=tmp_path, **variables)
        assert "clickstream-wish-list-1" in named, "it and its events are found by their entry points"
    shown = json.loads(fresh.run([fresh.program("clickstream"), "schema", "show", "--own"], cwd=tmp_path))
    assert shown.keys() == {"like.v1"}
    assert "1 passed" in fresh.run([fresh.program("python"), "-m", "pytest", "-q"], cwd=project)
