"""The documentation cannot rot unnoticed: links and anchors resolve, named paths exist, every folder has its row."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

from tests.unit.docs import metric_rows

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
SHELVES = ("tutorial", "how-to", "reference", "explanation")
MOST_FILES = 15
#: `[text](target)` and `![text](target)`; a target has no blanks here
LINK = re.compile(r"\]\(([^()\s]+)\)")
#: a page, a picture, or a decision by its number alone, named in any text of the repository
MENTION = re.compile(r"(?<![\w/.-])docs/[\w./-]+\.(?:md|png|svg)(?:#[\w-]+)?|(?<![\w/.-])docs/decisions/(?:\d{4})\b(?!-)")


#: a path of the repository; a star stands for any names
SOURCE = re.compile(r"(?<![\w./:-])(?:clickstream|producers|consumers|models|serving|load|infra|tests)/[\w./*-]*[\w*/]")
MODULE = re.compile(
    r"python -m (?:clickstream\.)?((?:clickstream|producers|consumers|models|serving|load|infra|tests)\.[\w.]*\w)"
)


@cache
def _tracked() -> tuple[Path, ...]:
    """Every file that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    return tuple(path for name in listed.decode().split("\0") if name and (path := ROOT / name).is_file())


def _pages() -> list[Path]:
    return [path for path in _tracked() if path.suffix == ".md"]


def _id(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _prose(page: Path) -> str:
    """The page without its code: fenced blocks, and blocks that are indented by four."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"(?<=\n\n)(?: {4}.*\n|\n)+", "\n", text)


def _is_here(pattern: str) -> bool:
    """Whether git has a file or a folder of this name; folders with nothing but byte code do not count."""
    return any(fnmatch(name, pattern) for name in _names())


@cache
def _names() -> frozenset[str]:
    return frozenset(_id(each) for path in _tracked() for each in (path, *path.parents) if ROOT in each.parents)


@cache
def _anchors(page: Path) -> frozenset[str]:
    """As GitHub makes them from headings; a repeated heading gets a number."""
    found: list[str] = []
    for title in re.findall(r"^#{1,6} (.+)$", _prose(page), re.MULTILINE):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title)
        slug = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return frozenset(found)


def _broken(target: str, beside: Path) -> bool:
    name, _, anchor = target.partition("#")
    page = (beside / name).resolve() if name else beside
    return not page.exists() or bool(anchor and page.suffix == ".md" and anchor not in _anchors(page))


@pytest.mark.parametrize("page", _pages(), ids=_id)
def test_every_relative_link_and_its_anchor_resolve(page: Path) -> None:
    targets = [target for target in LINK.findall(_prose(page)) if "://" not in target]
    assert [
        target for target in targets if _broken(target if not target.startswith("#") else page.name + target, page.parent)
    ] == []


def test_every_page_that_a_text_names_exists() -> None:
    def mentions() -> Iterator[tuple[str, str]]:
        for path in _tracked():
            if path.suffix in {".png", ".jar", ".lock"} or path == Path(__file__):
                continue
            yield from ((_id(path), found) for found in MENTION.findall(path.read_text(errors="replace")))

    def missing(name: str) -> bool:
        if re.fullmatch(r"docs/decisions/\d{4}", name):
            return not list(DOCS.glob(f"decisions/*/{name[-4:]}-*.md"))
        return _broken(name, ROOT)

    assert [(where, name) for where, name in mentions() if missing(name)] == []


@pytest.mark.parametrize("page", [page for page in _pages() if page.name != "CHANGELOG.md"], ids=_id)
def test_every_source_and_module_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    paths = [name for name in SOURCE.findall(text) if not _is_here(name.rstrip("/"))]
    modules = [name for name in MODULE.findall(text) if not _is_here(name.replace(".", "/") + "*")]
    assert (paths, modules) == ([], [])


def test_the_metrics_in_the_reference_are_those_of_the_registry() -> None:
    text = metric_rows.PAGE.read_text()
    assert text == metric_rows.refreshed(text), "write it again: python -m tests.unit.docs.metric_rows"


def test_every_page_is_on_a_shelf_and_in_the_index() -> None:
    index = (DOCS / "README.md").read_text()
    decisions = (DOCS / "decisions" / "README.md").read_text()
    for page in _pages():
        if DOCS not in page.parents or page.name == "README.md":
            continue
        shelf = page.relative_to(DOCS).parts[0]
        if shelf == "decisions":
            assert f"({page.relative_to(DOCS / 'decisions')})" in decisions, page
        else:
            assert shelf in {*SHELVES, "runbook.md"}, page
            assert f"({page.relative_to(DOCS)})" in index, page


#: a folder in a row of the architecture's table: `a/b/`; a star stands for any one name, or none
FOLDER = re.compile(r"`([\w.*/-]+)/`")


def _rows() -> Iterator[tuple[list[str], list[str]]]:
    """The folders of each row, and the files that it says to begin with (a row of the tests has none)."""
    for line in (ROOT / "ARCHITECTURE.md").read_text().splitlines():
        if line.startswith("| `"):
            _, folders, _, *last = line.split("|")
            yield FOLDER.findall(folders), re.findall(r"`([\w.]+)`", last[0]) if len(last) == 2 else []


def test_every_folder_stands_in_the_table_of_the_architecture() -> None:
    named = {name for folders, _ in _rows() for name in folders}
    folders = {_id(folder) for path in _tracked() for folder in path.parents if ROOT in folder.parents}
    assert {folder for folder in folders if not any(_covers(name, folder) for name in named)} == set()
    assert {name for name in named if "*" not in name} - folders == set(), "no such folder"


def _covers(name: str, folder: str) -> bool:
    return name.count("/") == folder.count("/") and fnmatch(folder, name)


def test_every_file_to_begin_with_exists() -> None:
    missing = [
        (folders, file)
        for folders, files in _rows()
        for file in files
        if not any(_is_here(f"{folder}/{file}") for folder in folders)
    ]
    assert missing == []


def test_no_folder_of_the_docs_is_crowded() -> None:
    folders = {path.parent for path in _tracked() if DOCS in path.parents}
    assert {_id(folder): n for folder in folders if (n := sum(1 for p in folder.iterdir() if p.is_file())) > MOST_FILES} == {}
