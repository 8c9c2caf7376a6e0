"""A command as its user sees it."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout

import pytest

from clickstream.cli import main


def run(arguments: list[str]) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main(arguments)
    return int(ended.value.code or 0), *(each.buffer.getvalue().decode() for each in (out, err))  # type: ignore[attr-defined]


def is_clean(shown: str) -> bool:
    """Nothing of it moves a terminal's cursor, rings, or colours."""
    return all(character.isprintable() or character == "\n" for character in shown)
