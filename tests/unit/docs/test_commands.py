"""Every command line of a page is one that the program takes, and holds no word that its reader must replace."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from clickstream.cli import cli
from tests.unit.docs.test_pages import DOCS, ROOT, _pages

#: A line of a block, indented or fenced; a prompt may stand before it.
_LINE = re.compile(r"^(?: {4})?(?:\$ )?(?:\w+=\$\()?(clickstream [^\n]*)$", re.MULTILINE)
#: FILE, EVENT_ID, "SELECT …": not to be pasted. Values that are written in capitals are known.
_PLACEHOLDER = re.compile(r"[A-Z][A-Z_]{2,}|.*…")
_VALUES = {"TRIM_HORIZON", "LATEST"}
_ENDS = {"<<", "|", "&&", "||", ";", ">", "2>", ">>", "&", "<"}


def _lines() -> Iterator[tuple[Path, str]]:
    for page in _pages():
        if page.name != "CHANGELOG.md" and DOCS / "decisions" not in page.parents:
            for line in _LINE.findall(page.read_text()):
                yield page, line


def _words(line: str) -> list[str]:
    """The words of its first command, as a shell gives them to the program."""
    lexer = shlex.shlex(re.sub(r"\$\([^)]*\)", "substituted", line).rstrip(")"), posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words = list(lexer)
    return words[1 : next((at for at, word in enumerate(words) if word in _ENDS), len(words))]


@pytest.mark.parametrize(("page", "line"), [pytest.param(*each, id=f"{each[0].stem}: {each[1][:60]}") for each in _lines()])
def test_the_program_takes_it(page: Path, line: str) -> None:
    words = _words(line)
    assert not [word for word in words if _PLACEHOLDER.fullmatch(word) and word not in _VALUES], "a word to be replaced"
    command: click.Command = cli
    context = click.Context(cli, info_name="clickstream")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        assert found is not None, f"no command {words[0]}"
        command, context = found, click.Context(found, parent=context, info_name=words.pop(0))
    given, extra, _ = command.make_parser(context).parse_args(args=words)
    assert extra == [], "more than it takes"
    for parameter in command.params:
        value = given.get(parameter.name or "")
        if isinstance(parameter, click.Argument) and parameter.required:
            assert value, f"needs {parameter.human_readable_name}"
        if isinstance(parameter.type, click.Choice) and isinstance(value, str):
            parameter.type.convert(value, parameter, context)


def test_the_pages_show_the_commands() -> None:
    shown = {words[0] for _, line in _lines() if (words := _words(line))}
    assert shown >= set(cli.list_commands(click.Context(cli))) - {"new", "local"}, "each is shown to be pasted somewhere"
    assert ROOT in DOCS.parents
