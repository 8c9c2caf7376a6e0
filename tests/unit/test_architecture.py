"""The rules of ARCHITECTURE.md, kept by reading every source file."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name

import pytest

from clickstream.cli import COMMANDS
from clickstream.consumers.needs import applications, declared
from clickstream.settings import Settings

ROOT = Path(__file__).parents[2]
#: The folders that are packages within ``clickstream``, by links: one name is all that the wheel takes.
PARTS = ("producers", "consumers", "models", "serving", "load", "infra")
PACKAGES = ("clickstream", *PARTS)

#: package → the packages of ours that it may import
ARROWS: dict[str, set[str]] = {
    "clickstream": set(),
    "producers": {"clickstream"},
    "models": {"clickstream"},
    "consumers": {"clickstream", "models"},
    "serving": {"clickstream", "consumers"},  # of consumers only what they publish, see below
    "load": {"clickstream", "producers", "serving", "consumers", "infra"},  # likewise; the demo runs the embedded AWS
    "infra": {"clickstream", "consumers"},  # likewise
}
#: what may be imported of consumers from outside: the read models that an application publishes, and what it declares
PUBLISHED = {"views", "needs"}
#: and the archive's columns, for the catalogue; the daemon's command, for the class archive of its JVM
MADE_BY_INFRA = {"consumers.archive.columns.SCHEMA", "consumers.runtime.worker.java"}
#: benchmarks measure the insides of every part; the simulator and the proofs of others' applications run them
MEASURING = {ROOT / "load" / name for name in ("benchmarks", "proving", "simulation")} | {ROOT / "clickstream" / "testing"}
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "misc", "base", "manager"}
#: modules that do no I/O and read no clock
PURE = (
    *(f"clickstream/{name}.py" for name in ("envelope", "events", "upcasting", "records/routing", "errors", "schemas/mapping")),
    *(
        f"clickstream/answers/{name}.py"
        for name in ("cells", "declared", "effects", "fold", "needs", "rows", "uniques", "users")
    ),
)
IMPURE_IMPORTS = {
    "os",
    "io",
    "socket",
    "subprocess",
    "time",
    "random",
    "secrets",
    "pathlib",
    "boto3",
    "botocore",
    "http",
    "urllib",
}
#: a worker process never carries these
HEAVY = ("pandas", "sklearn")


def _sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def _id(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _imports(path: Path) -> Iterator[str]:
    """Every module that a file names in an import, at any depth; ``from a import b`` counts as ``a.b``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_id(path)}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _within(name: str) -> str:
    """``consumers.needs`` of ``clickstream.consumers.needs``; what lies in ``clickstream`` itself keeps its whole name."""
    part = name.removeprefix("clickstream.")
    return part if part.split(".")[0] in PARTS else name


def test_the_parts_are_linked() -> None:
    assert {link.name: str(link.readlink()) for link in (ROOT / "clickstream").iterdir() if link.is_symlink()} == {
        name: f"../{name}" for name in PARTS
    }


@pytest.mark.parametrize("path", _sources(*PACKAGES), ids=_id)
def test_imports_follow_the_arrows(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    ours = {name for name in _imports(path) if name.split(".")[0] in PACKAGES}
    assert {name for name in ours if not name.startswith("clickstream")} == set(), "clickstream.consumers, not consumers"
    crossed = {name for name in map(_within, ours) if name.split(".")[0] != package}
    measures = not MEASURING.isdisjoint(path.parents)
    allowed = ARROWS[package] | ({"consumers", "load", "models"} if measures else set())
    assert {name for name in crossed if name.split(".")[0] not in allowed} == set()
    if measures:
        return
    inside = {name for name in crossed if name.startswith("consumers.") and PUBLISHED.isdisjoint(name.split("."))}
    if package == "infra":
        inside -= MADE_BY_INFRA
    assert inside == set(), "of consumers only the views and the needs are for others"


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_import_nothing_that_acts(name: str) -> None:
    assert {module.split(".")[0] for module in _imports(ROOT / name)} & IMPURE_IMPORTS == set()


@pytest.mark.parametrize("path", _sources(*PACKAGES), ids=_id)
def test_only_settings_reads_the_environment(path: Path) -> None:
    if path == ROOT / "clickstream" / "settings.py":
        return
    found = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv", "putenv"})
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and {a.name for a in node.names} & {"environ", "getenv"})
    ]
    assert found == [], f"{_id(path)} touches the environment in these lines"


@pytest.mark.parametrize("path", _sources(*PACKAGES, "tests"), ids=_id)
def test_names_say_something_and_files_stay_short(path: Path) -> None:
    assert FORBIDDEN_NAMES.isdisjoint((*path.relative_to(ROOT).parts[:-1], path.stem))
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("application", applications())
def test_no_worker_carries_pandas_or_scikit_learn(application: str) -> None:
    program = (
        "import sys\n"
        "from clickstream.consumers.runtime.worker.child import load_application\n"
        f"load_application({application!r})\n"
        f"print(*sorted(set(sys.modules) & set({HEAVY!r})))\n"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (said.returncode, said.stdout.split()) == (0, []), said.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_table_exists(command: str) -> None:
    assert hasattr(importlib.import_module(COMMANDS[command][0]), command)


def test_no_table_is_named_as_a_lease_table() -> None:
    settings = Settings()
    tables = {table.of(settings) for needs in declared() for table in needs.tables}
    assert tables.isdisjoint({settings.application(application) for application in applications()})


@pytest.mark.parametrize("application", applications())
def test_what_an_application_declares_is_there(application: str) -> None:
    found = applications()[application]
    assert importlib.import_module(found.wiring).APPLICATION.name == application
    for path in filter(None, (found.effect, found.comparer, found.page)):
        assert resolve_name(path)
