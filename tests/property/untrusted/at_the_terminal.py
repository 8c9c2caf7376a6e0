"""A command as its user sees it."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout

import pytest

from clickstream.cli import main


def run(arguments: list[str]) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    out, err = io.BytesIO(), io.BytesIO()
    stdout, stderr = (io.TextIOWrapper(each, "utf-8", write_through=True) for each in (out, err))
    with redirect_stdout(stdout), redirect_stderr(stderr), pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0), out.getvalue().decode(), err.getvalue().decode()


def is_clean(shown: str) -> bool:
    """Nothing of it moves a terminal's cursor, rings, or colours."""
    return all(character.isprintable() or character == "\n" for character in shown)
