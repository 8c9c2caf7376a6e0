"""`clickstream new application`: what it writes, and what it never does. That it runs: tests/integration/wheel."""

from __future__ import annotations

import ast
import json
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from clickstream.infra.images.rehearse import parse
from clickstream.new.commands import new


def _write(*arguments: str) -> Result:
    return CliRunner().invoke(new, ["application", *arguments])


def _files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.chdir(tmp_path)
    said = _write("wish-list")
    assert said.exit_code == 0, said.output
    found = _files(tmp_path / "wish-list")
    assert set(said.stdout.splitlines()) == {f"wish-list/{name}" for name in found}
    return found


def test_it_is_a_repository(written: dict[str, str]) -> None:
    assert {
        "README.md",
        "pyproject.toml",
        "Dockerfile",
        ".gitignore",
        "wish_list.py",
        "tests/test_wish_list.py",
    } <= written.keys()
    assert [(name, text) for name, text in written.items() if "{{" in name + text or ".template" in name] == []
    project = tomllib.loads(written["pyproject.toml"])["project"]
    assert project["name"] == "wish-list"
    assert project["entry-points"] == {
        "clickstream.applications": {"wish-list": "wish_list"},
        "clickstream.events": {"wish-list": "wish_list_events"},
    }


def test_the_application_is_short_and_of_its_name(written: dict[str, str]) -> None:
    tree = ast.parse(written["wish_list.py"])
    assert len([line for line in written["wish_list.py"].splitlines() if line.strip()]) <= 40
    (name,) = [
        each.args[0] for each in ast.walk(tree) if isinstance(each, ast.Call) and ast.unparse(each.func) == "Application"
    ]
    assert ast.literal_eval(name) == "wish-list"
    ast.parse(written["tests/test_wish_list.py"])


def test_its_event_is_declared_by_a_schema_of_the_events_name(written: dict[str, str]) -> None:
    schema = json.loads(written["wish_list_events/like.v1.json"])
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["required"] == ["product_id"]
    assert '"like": liked' in written["wish_list.py"]


def test_its_image_ends_as_the_platforms_user_with_its_events(written: dict[str, str]) -> None:
    instructions = list(parse(written["Dockerfile"]))
    assert [each.value for each in instructions if each.name == "FROM"] == ["${BASE} AS build", "${BASE}"]
    assert [each.value for each in instructions if each.name == "USER"][-1] == "10001:10001"
    copied = " ".join(each.value for each in instructions if each.name == "COPY")
    packed = tomllib.loads(written["pyproject.toml"])["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    assert packed == ["wish_list.py", "wish_list_events"]
    assert all(each in copied for each in packed)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("ours")
    (tmp_path / ".git").mkdir()
    said = _write("wishes", "--folder", str(tmp_path))
    assert str(said.exception) == f"{tmp_path} has README.md already"
    assert _files(tmp_path) == {"README.md": "ours"}
    (tmp_path / "README.md").unlink()
    assert _write("wishes", "--folder", str(tmp_path)).exit_code == 0, "a folder that has other things will do"
    before = _files(tmp_path)
    assert "already" in str(_write("wishes", "--folder", str(tmp_path)).exception)
    assert _files(tmp_path) == before


@pytest.mark.parametrize(
    "name", ["Wishes", "wish list", "../wishes", "collect", "statistics", "class", "tests", "clickstream", "pytest", "fraud"]
)
def test_a_name_that_would_not_run_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = _write(name)
    assert said.exit_code == 1
    assert "name" in str(said.exception) or "hide" in str(said.exception)
    assert list(tmp_path.iterdir()) == []
