"""Each example is a project of its own: it installs, its own test passes, and its module is as short as promised."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from clickstream.settings import child_environment
from tests.integration.examples.shop import EXAMPLES, ROOT, declared

pytestmark = pytest.mark.integration

MOST_LINES = 40


@pytest.mark.parametrize("name", EXAMPLES)
def test_its_own_test_passes(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=ROOT / "examples" / name,
        env=child_environment({"PYTHONPATH": str(ROOT)}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", EXAMPLES)
def test_its_module_is_short(name: str) -> None:
    (module,) = (path for path in (ROOT / "examples" / name).glob("*.py") if not path.name.startswith(("test_", "conftest")))
    assert lines_of_its_own(module.read_text()) <= MOST_LINES


def lines_of_its_own(text: str) -> int:
    """Lines of Python without imports and blank lines; comments and docstrings count."""
    imports = {
        line
        for node in ast.parse(text).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    blank = {number for number, line in enumerate(text.splitlines(), 1) if not line.strip()}
    return len(text.splitlines()) - len(imports | blank)


def test_the_counter_counts() -> None:
    assert lines_of_its_own('"""Doc."""\n\nimport os\nfrom a import (\n    b,\n)\n\nX = 1\n# why\n') == 3


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment beside ours, with the four installed as any package is."""
    python = tmp_path_factory.mktemp("shop") / "venv" / "bin" / "python"
    _run(sys.executable, "-m", "uv", "venv", "--quiet", str(python.parents[1]), "--python", sys.executable)
    (site,) = python.parents[1].glob("lib/python*/site-packages")
    ours = [path for path in sys.path if path.endswith("site-packages")]
    (site / "platform.pth").write_text("\n".join([*ours, str(ROOT)]) + "\n")
    projects = [str(ROOT / "examples" / name) for name in EXAMPLES]
    _run(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--python", str(python), *projects)
    return python


def test_the_platform_finds_what_is_installed(installed: Path, tmp_path: Path) -> None:
    listed = "from clickstream.consumers.needs import applications; from clickstream.events import DECLARED; "
    said = _run(str(installed), "-c", listed + "print(*applications(), *DECLARED)", CLICKSTREAM_EVENTS="")
    assert {*EXAMPLES, "wish", "stock_seen", "page_view"} <= set(said.split())
    again = {"CLICKSTREAM_EVENTS": declared(tmp_path)["CLICKSTREAM_EVENTS"]}  # as they are in the checkout
    assert _run(str(installed), "-c", listed + "print(*applications(), *DECLARED)", **again) == said


def _run(*command: str, **variables: str) -> str:
    done = subprocess.run(command, env=child_environment(variables), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
