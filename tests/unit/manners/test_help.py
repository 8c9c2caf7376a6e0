"""Help: at every level, with an example to copy, and completion for the shell."""

from __future__ import annotations

import inspect
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import click
import pytest

from clickstream.cli import cli
from tests.unit.manners.program import PROGRAM, commands, run

_COMMANDS = [words for words in commands() if words]


def _command(words: Sequence[str]) -> click.Command:
    command: click.Command = cli
    for word in words:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None
        command = found
    return command


def _help(words: Sequence[str]) -> str:
    return _command(words).get_help(click.Context(_command(words), info_name=" ".join(words)))


@pytest.mark.parametrize("words", _COMMANDS, ids=" ".join)
def test_every_command_says_what_it_does_and_shows_an_example_that_it_accepts(words: tuple[str, ...]) -> None:
    command = _command(words)
    text = _help(words)
    assert command.help, "a sentence that says what it does"
    assert "Example" in text
    assert f"clickstream {' '.join(words)}" in text.split("Example", 1)[1], "an example of this very command"


@pytest.mark.parametrize("words", _COMMANDS, ids=" ".join)
def test_every_option_is_explained(words: tuple[str, ...]) -> None:
    options = [each for each in _command(words).params if isinstance(each, click.Option)]
    assert [each.name for each in options if not each.help] == []


@pytest.mark.parametrize("words", _COMMANDS, ids=" ".join)
def test_no_example_names_an_option_that_is_not_there(words: tuple[str, ...]) -> None:
    command = _command(words)
    known = {flag for each in command.params for flag in (*each.opts, *each.secondary_opts)} | {"--help", "-h"}
    said = inspect.cleandoc(f"{command.help}\n{command.epilog or ''}")
    lines = [line for line in said.splitlines() if f"clickstream {' '.join(words)}" in line]
    used = {word.rstrip('.",`)') for line in lines for word in line.split() if word.startswith("--")}
    assert used - known == set()


@pytest.mark.parametrize("group", [("dlq",), ("models", "label")], ids=" ".join)
def test_a_group_shows_its_commands_with_whole_sentences(group: tuple[str, ...], tmp_path: Path) -> None:
    said = run(*group, "--help", folder=tmp_path)
    assert (said.returncode, said.stderr) == (0, "")
    assert "..." not in said.stdout.split("Commands:")[1]


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_is_data(flag: str, tmp_path: Path) -> None:
    said = run("tail", flag, folder=tmp_path)
    assert (said.returncode, said.stderr) == (0, "")
    assert "--since" in said.stdout


def _completed(line: str) -> set[str]:
    words = line.split(" ")
    environment = {
        **os.environ,
        "_CLICKSTREAM_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    said = subprocess.run(PROGRAM, capture_output=True, text=True, env=environment, check=True, timeout=60)
    return {each.partition(",")[2] for each in said.stdout.splitlines()}


@pytest.mark.parametrize(
    ("line", "among"),
    [
        ("clickstream pro", {"produce"}),
        ("clickstream dlq ", {"list", "show", "redrive"}),
        ("clickstream tail --s", {"--since", "--shard"}),
        ("clickstream worker ", {"analytics", "fraud", "recommendations"}),
        ("clickstream query aggregates --granularity ", {"minute", "hour", "day"}),
    ],
)
def test_the_shell_completes_commands_options_and_values(line: str, among: set[str]) -> None:
    assert among <= _completed(line)


def test_the_completion_script_is_printed() -> None:
    said = subprocess.run(
        PROGRAM,
        capture_output=True,
        text=True,
        env={**os.environ, "_CLICKSTREAM_COMPLETE": "zsh_source"},
        check=True,
        timeout=60,
    )
    assert said.stdout.startswith("#compdef clickstream")
