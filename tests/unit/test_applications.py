"""Which applications there are: found, and nowhere listed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from clickstream.consumers.needs import applications, declared, find
from clickstream.consumers.runtime.worker.child import load_application
from clickstream.consumers.runtime.worker.properties import parse
from clickstream.errors import Missing, UserMistake
from tests import sixth

OURS = ["archive", "analytics", "fraud", "orders", "recommendations"]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shop's folder, in which the program runs: not on Python's path, as the installed command has it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.setenv("CLICKSTREAM_APPLICATIONS", "")
    return tmp_path


def _unique(shop: Path) -> str:
    """A name for a module: each is loaded once in a process."""
    return f"shop_{shop.name}"


def _declares(name: str, more: str = "") -> str:
    return f"from clickstream.needs import Needs, Table\n{{}} = Needs(name={name!r}, wiring=__name__{more})\n"


def test_every_package_that_declares_itself_is_an_application() -> None:
    assert list(applications()) == OURS
    assert [needs.name for needs in declared()] == ["analytics", "fraud", "recommendations", "archive", "orders"]


def test_a_package_elsewhere_is_one_too(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKSTREAM_APPLICATIONS", sixth.write(shop)["CLICKSTREAM_APPLICATIONS"])
    assert list(applications()) == ["archive", "analytics", sixth.NAME, "fraud", "orders", "recommendations"]


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("wished/needs.py", _declares("wish-list").format("NEEDS")),
        ("wished/__init__.py", _declares("wish-list").format("NEEDS")),
        ("wished.py", _declares("wish-list").format("NEEDS")),
        ("wished.py", _declares("wish-list").format("class APPLICATION: needs")),
    ],
    ids=["M.needs:NEEDS", "M:NEEDS of a package", "M:NEEDS", "M:APPLICATION.needs"],
)
def test_a_module_declares_its_application_in_three_forms(file: str, source: str, shop: Path) -> None:
    module = _unique(shop)
    path = shop / file.replace("wished", module)
    path.parent.mkdir(exist_ok=True)
    path.write_text(source.replace("class APPLICATION: needs", "class APPLICATION:\n    needs"))
    assert find(module).name == "wish-list"
    assert os.environ["CLICKSTREAM_APPLICATIONS"] == module, "what this process starts finds it as well"
    assert find("wish-list").wiring.startswith(module)
    assert find(module).name == "wish-list", "named twice, it is one application"


def test_an_application_that_a_factory_made_is_wired_where_it_stands(shop: Path) -> None:
    module = _unique(shop)
    (shop / f"made_{module}.py").write_text(_declares("wish-list").format("class APPLICATION:\n    needs"))
    (shop / f"{module}.py").write_text(f"from made_{module} import APPLICATION\n")
    assert find(module).wiring == module


def test_an_installed_package_is_found_by_its_entry_point(shop: Path) -> None:
    (shop / "installed_shop.py").write_text(_declares("wishes").format("NEEDS"))
    (shop / "shop-1.dist-info").mkdir()
    (shop / "shop-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: shop\nVersion: 1\n")
    (shop / "shop-1.dist-info" / "entry_points.txt").write_text("[clickstream.applications]\nwishes = installed_shop\n")
    program = "from clickstream.consumers.needs import applications, find; print(find('installed_shop').name, *applications())"
    environment = {**os.environ, "PYTHONPATH": str(shop), "CLICKSTREAM_APPLICATIONS": "installed_shop"}
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    assert said.stdout.split() == ["wishes", *OURS, "wishes"]


def test_an_unknown_name_is_no_module_either(shop: Path) -> None:
    with pytest.raises(Missing, match="'wishes' is not an application: there is no module wishes") as caught:
        find("wishes")
    assert "analytics, archive, fraud, orders, recommendations" in caught.value.hint
    with pytest.raises(Missing, match=r"there is no module clickstream\.wishes"):
        find("clickstream.wishes")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("", "broken declares no application"),
        ("raise SystemExit(3)", "broken: SystemExit: 3"),
        ("NEEDS = 3", "broken declares no application"),
        ("APPLICATION = object()", "broken declares no application"),
        (_declares("analytics").format("NEEDS"), "broken: application analytics is there already"),
        (
            _declares("wishes", ", tables=(Table('aggregates', key='id'),)"),
            "broken: dynamodb:table/aggregates is there already",
        ),
        (_declares("shards").format("NEEDS"), "broken: dynamodb:table/shards is there already"),
        *(
            (_declares(name).format("NEEDS"), f"'{name}' cannot name an application and its tables")
            for name in ("", "serve", "Wishes", "wish_list", "wish list", "1wish", "wish-", "wish--list", "w" * 33, "wünsche")
        ),
        (
            "import nothing_of_this_name",
            r"broken: ModuleNotFoundError: No module named 'nothing_of_this_name' \(\S+broken.py:1\)",
        ),
        ("x = 1\n\nx / 0\n", r"broken: ZeroDivisionError: division by zero \(\S+broken.py:3\)"),
        ("x = (\n", r"broken: SyntaxError: .* \(\S+broken.py:1\)"),
        (
            "from clickstream.needs import check_name\ncheck_name('')\n",
            r"broken: UserMistake: '' cannot name an application and its tables \(\S+broken.py:2\)",
        ),
    ],
)
def test_a_module_that_is_no_new_application_is_a_mistake(source: str, told: str, shop: Path) -> None:
    module = _unique(shop)
    (shop / f"{module}.py").write_text(source.replace("{}", "NEEDS"))
    with pytest.raises(UserMistake) as caught:
        find(module)
    line = str(caught.value).replace(module, "broken")
    assert re.match(told, line), line
    assert "\n" not in line
    assert caught.value.hint


def _worker(shop: Path, application: str, **more: str) -> subprocess.CompletedProcess[str]:
    """What the program says; it asks AWS nothing."""
    environment = {**os.environ, **more}
    command = [sys.executable, "-m", "clickstream.cli", "worker", application, "--print-properties"]
    return subprocess.run(command, capture_output=True, text=True, cwd=shop, env=environment, check=False)


def test_two_modules_of_one_name_are_a_mistake(shop: Path) -> None:
    for module in ("one", "two"):
        (shop / f"{module}.py").write_text(_declares("wishes").format("NEEDS"))
    said = _worker(shop, "two", CLICKSTREAM_APPLICATIONS="one")
    assert said.returncode == 1
    line, hint = said.stderr.splitlines()
    assert line == "clickstream: two: application wishes is there already"
    assert hint == "hint: give it another name"


def test_a_worker_of_a_shops_module_goes_by_its_applications_name(shop: Path) -> None:
    (shop / "my_shop.py").write_text(_declares("wish-list").format("NEEDS"))
    said = _worker(shop, "my_shop")
    assert said.returncode == 0, said.stderr
    assert parse(said.stdout)["applicationName"] == "clickstream-wish-list"


def test_a_shops_bug_does_not_stop_our_workers(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shop / "raises.py").write_text("raise RuntimeError('theirs')")
    monkeypatch.setenv("CLICKSTREAM_APPLICATIONS", "raises")
    assert _worker(shop, "analytics").returncode == 0
    assert load_application("analytics").name == "analytics"
    with pytest.raises(UserMistake, match=r"raises: RuntimeError: theirs \(\S+raises.py:1\)"):
        applications()
