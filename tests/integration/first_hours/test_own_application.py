"""The tutorial of own applications, from an empty folder and its own text alone, with nothing but the wheel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from clickstream.infra.local import ministack, stack
from clickstream.settings import child_environment, from_env
from tests.integration.examples.shop import ROOT
from tests.integration.first_hours.page import commands, steps
from tests.integration.first_hours.terminal import Terminal, free_ports, on_ports, started

pytestmark = [pytest.mark.integration, pytest.mark.java, pytest.mark.timeout(900)]

PAGE = ROOT / "docs" / "tutorial" / "own-application.md"
MOST_S = 600.0
#: uv installs into the environment that the page has made, and into nothing else.
_LEADS_ELSEWHERE = ("PYTHONPATH", "VIRTUAL_ENV", "UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_PROJECT_ENVIRONMENT")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    subprocess.run([_uv(), "build", "--quiet", "--wheel", "--out-dir", str(folder)], cwd=ROOT, check=True)
    return folder


def _uv() -> str:
    return str(Path(sys.executable).with_name("uv"))


@pytest.fixture
def environment(wheels: Path, tmp_path: Path) -> dict[str, str]:
    """A person's, with uv, and the wheel where the page says that it is looked for; ministack's environment is at hand."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "uv").symlink_to(_uv())
    home = from_env().local_dir.absolute()
    ministack.install(home, stack.quiet)
    local = tmp_path / "local"
    local.mkdir()
    (local / "ministack").symlink_to(home / "ministack")
    path = os.pathsep.join([str(tools), *(part for part in os.environ["PATH"].split(os.pathsep) if ".venv" not in part)])
    ours = {"PATH": path, "UV_FIND_LINKS": str(wheels), "CLICKSTREAM_LOCAL_DIR": str(local)}
    inherited = child_environment(ours)
    return {name: value for name, value in inherited.items() if name not in _LEADS_ELSEWHERE}


def test_the_page_leads_from_nothing_to_own_answers(
    environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ports = free_ports()
    folder = tmp_path / "empty"
    folder.mkdir()
    terminals = [Terminal(environment, folder)]
    at_s: dict[str, float] = {}
    typed: list[str] = []
    said: dict[str, str] = {}
    began = time.monotonic()
    try:
        for step in steps(PAGE):
            if step.kind == "save":
                path = folder / "wishlist" / step.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(step.text, encoding="utf-8")
                continue
            for command in commands(step.text):
                typed.append(command)
                if step.kind == "keep running":
                    options = f" --port {ports['8080']} --collect-port {ports['8081']} --aws-port 0 --kinesis-port 0"
                    pasted = started(terminals[0], on_ports(command, ports) + options)
                    terminals.append(Terminal(environment, folder / "wishlist"))
                    terminals[-1].run(pasted)
                    at_s["ready"] = time.monotonic() - began
                elif command.startswith("clickstream query own"):
                    said[command] = _until_answered(terminals[-1], on_ports(command, ports))
                    at_s["first own answer"] = time.monotonic() - began
                else:
                    said[command] = terminals[-1].run(on_ports(command, ports))
        page = _get(f"http://127.0.0.1:{ports['8080']}/own")
        rows = json.loads(_get(f"http://127.0.0.1:{ports['8080']}/v1/own/wishlist/wishes"))["rows"]
    finally:
        for terminal in reversed(terminals):
            terminal.interrupt()
    with capsys.disabled():
        sys.stderr.write(
            f"\nthe tutorial: {len(typed)} commands typed, {sum(step.kind == 'save' for step in steps(PAGE))} files saved; "
            f"{', '.join(f'{what} after {after:.0f} s' for what, after in at_s.items())}\n"
        )
    assert "Own answers" in page
    assert {row["key"]: row["values"] for row in rows} == {
        "p-1": {"wishes": 2, "wishers": 2},
        "p-2": {"wishes": 1, "wishers": 1},
    }
    assert at_s["first own answer"] < MOST_S


def _until_answered(terminal: Terminal, command: str) -> str:
    """A person looks again when the rows are not all there yet."""
    deadline = time.monotonic() + 60
    while not {"p-1", "p-2"} <= set((said := terminal.run(command)).split()):
        assert time.monotonic() < deadline, said
    return said


def _get(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            body: bytes = response.read()
    except urllib.error.HTTPError as refused:
        raise AssertionError(f"{url}: {refused} {refused.read().decode()}") from refused
    return body.decode()
