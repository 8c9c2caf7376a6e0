"""On a terminal: a bar while long work lasts, colours unless NO_COLOR; in a pipe neither."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from clickstream.settings import child_environment
from tests.unit.manners.program import CREDENTIALS, OFFLINE, PROGRAM, run

_BAR = "━"
_COLOUR = re.compile(r"\x1b\[[0-9;]*(?:3[0-7]|9[0-7]|38;[0-9;]+)m")
_LINES = 20_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    event = '{"type":"page_view","event_id":"e%d","user_id":"u","session_id":"s","occurred_at":1764000000000}\n'
    (tmp_path / "events.ndjson").write_text("".join(event % number for number in range(_LINES)))
    return tmp_path


def _on_a_terminal(arguments: list[str], folder: Path, extra: Mapping[str, str]) -> str:
    """What a terminal on stderr would show; stdout is a pipe."""
    ours, theirs = pty.openpty()
    environment = child_environment({**OFFLINE, **CREDENTIALS, "TERM": "xterm-256color", "COLUMNS": "100", **extra})
    environment.pop("NO_COLOR", None)
    environment |= extra
    chunks: list[bytes] = []

    def read() -> None:
        while True:
            try:
                chunk = os.read(ours, 65_536)
            except OSError:  # Linux says so when the last writer has gone
                return
            if not chunk:
                return
            chunks.append(chunk)

    reader = threading.Thread(target=read)
    with subprocess.Popen(
        [*PROGRAM, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs, cwd=folder, env=environment
    ) as program:
        os.close(theirs)
        reader.start()
        out, _ = program.communicate(timeout=120)
        assert (program.returncode, out) == (0, b"")
    reader.join(30)
    os.close(ours)
    return b"".join(chunks).decode()


@pytest.mark.parametrize("command", [["produce", "--dry-run"], ["load", "replay", "--dry-run"]], ids=" ".join)
def test_a_bar_shows_on_a_terminal(command: list[str], folder: Path) -> None:
    said = _on_a_terminal([*command, "events.ndjson"], folder, {})
    assert _BAR in said
    assert _COLOUR.search(said)


def test_no_color_leaves_the_bar_and_takes_its_colours(folder: Path) -> None:
    said = _on_a_terminal(["produce", "events.ndjson", "--dry-run"], folder, {"NO_COLOR": "1"})
    assert _BAR in said
    assert not _COLOUR.search(said)


@pytest.mark.parametrize("command", [("produce", "--dry-run"), ("load", "replay", "--dry-run")], ids=" ".join)
def test_a_pipe_gets_neither(command: tuple[str, ...], folder: Path) -> None:
    said = run(*command, "events.ndjson", folder=folder)
    assert said.returncode == 0
    assert _BAR not in said.stderr
    assert "\x1b" not in said.stderr
    assert said.stdout == ""


def test_an_encoding_without_arrows_shows_a_mark_for_each(folder: Path) -> None:
    said = run("models", "shadow", "fraud", "--help", folder=folder, environment={**OFFLINE, "PYTHONIOENCODING": "latin-1"})
    assert (said.returncode, said.stderr) == (0, "")
    assert '"changed": {"approve?block": n' in said.stdout
