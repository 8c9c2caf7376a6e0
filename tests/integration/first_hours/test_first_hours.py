"""The first hours of a shop's people, as their pages tell them: every command is typed as it stands there, and works."""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clickstream.infra.local import ministack, stack
from clickstream.settings import child_environment, from_env
from tests.integration.examples.shop import ROOT
from tests.integration.first_hours.page import commands, steps
from tests.integration.first_hours.terminal import Terminal, free_ports, on_ports, started

pytestmark = [pytest.mark.integration, pytest.mark.java, pytest.mark.timeout(900)]

TUTORIALS = ROOT / "docs" / "tutorial"
#: Who reads which page. The Python developer's is own-application.md: its test begins with an empty folder.
PEOPLE = {
    "risk analyst": TUTORIALS / "fraud.md",  # first: what a model would block depends on what others have sent
    "newcomer": ROOT / "README.md",
    "shop engineer": TUTORIALS / "first-ten-minutes.md",
    "analyst": TUTORIALS / "numbers.md",
    "data scientist": TUTORIALS / "training.md",
    "operator": TUTORIALS / "operating.md",
}
#: What a command must say, by how it begins, beyond ending with the code that the page tells.
SAYS = {
    "clickstream load verify": r"^equal$",
    "curl -s http://127.0.0.1:8081": r'"accepted":\s?1',
    "clickstream explain hello-1": r"analytics +processed",
    "clickstream models rollback fraud": r"\d{8}T\d{6}Z|the rules decide",
    "clickstream applications list": r"analytics",
    "python views.py": r"p\d{5}",
}


class House:
    """A checkout with its environment, in which the system is started by the first page that says so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started_by = ""
        self._ports = free_ports()
        home = from_env().local_dir.absolute()
        ministack.install(home, stack.quiet)
        (folder / ".local").mkdir()
        (folder / ".local" / "ministack").symlink_to(home / "ministack")
        (folder / ".venv").symlink_to(Path(sys.prefix))
        # other tests run beside: scikit-learn's threads would wait for each other
        self._environment = child_environment(
            {"CLICKSTREAM_LOCAL_DIR": str(folder / ".local"), "OMP_NUM_THREADS": "1", "CLICKSTREAM_COMMIT_S": "20"}
        )
        self._first = Terminal(self._environment, folder)
        self._pasted = ""

    def keep_running(self, command: str) -> None:
        """The pages begin with the same line: who comes later finds the system running."""
        assert self.started_by in ("", command), "one house, one line that starts it"
        if not self.started_by:
            self.started_by = command
            options = f" --port {self._ports['8080']} --collect-port {self._ports['8081']} --aws-port 0 --kinesis-port 0"
            self._first.run("source .venv/bin/activate")
            self._pasted = started(self._first, command + options)

    def terminal(self) -> Terminal:
        second = Terminal(self._environment, self.folder)
        if self._pasted:
            second.run(self._pasted)
        return second

    def here(self, command: str) -> str:
        return on_ports(command, self._ports)

    def leave(self) -> None:
        self._first.interrupt()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    assert shutil.which("curl"), "the pages use it"
    place = House(tmp_path_factory.mktemp("checkout"))
    try:
        yield place
    finally:
        place.leave()


@pytest.mark.parametrize("person", PEOPLE)
def test_every_command_of_the_page_works_as_it_stands_there(
    person: str, house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    second: Terminal | None = None
    typed = 0
    longest = (0.0, "")
    try:
        for step in steps(PEOPLE[person]):
            if step.kind == "save":
                (house.folder / step.path).write_text(step.text, encoding="utf-8")
                continue
            for command in commands(step.text):
                typed += 1
                at = time.monotonic()
                if step.kind == "keep running":
                    house.keep_running(command.partition("#")[0].strip())
                    if second is not None:  # what follows is typed in a terminal that knows the line
                        second.interrupt()
                        second = None
                else:
                    second = second or house.terminal()
                    said = second.run(house.here(command), step.code)
                    _is_decent(command, said)
                longest = max(longest, (time.monotonic() - at, command))
    finally:
        if second is not None:
            second.interrupt()
    assert typed > 3
    with capsys.disabled():
        took_s = time.monotonic() - began
        sys.stderr.write(f"\n{person}: {typed} commands in {took_s:.0f} s, the longest {longest[0]:.0f} s: {longest[1]}\n")


def _is_decent(command: str, said: str) -> None:
    assert not re.search(r"Traceback|a fault of this program|command not found", said), f"{command}\n{said}"
    for begins, pattern in SAYS.items():
        assert not command.startswith(begins) or re.search(pattern, said, re.MULTILINE), f"{command}\n{said}"


def test_the_programs_that_the_pages_need_are_the_usual_ones() -> None:
    """Whoever has bash, curl, awk and grep can follow: no other program is typed."""
    typed = {word for page in PEOPLE.values() for step in steps(page) if step.kind == "type" for word in _programs(step.text)}
    assert typed <= {
        "clickstream",
        "curl",
        "source",
        "cat",
        "echo",
        "python",
        "kill",
        "wait",
        "now",
        "version",
        "FIRST",
        "SECOND",
        "(cat",
    }


def _programs(text: str) -> set[str]:
    return {re.split(r"[\s=]", command)[0] for command in commands(text) if command}
