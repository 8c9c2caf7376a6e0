"""A page of the documentation as a person follows it: its files are saved, its commands typed, in the order of the text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

#: ```sh, ```sh terminal (one that keeps running), or ```LANGUAGE PATH (a file to save).
_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Step(NamedTuple):
    kind: str
    """``type``, ``keep running`` or ``save``."""
    text: str
    path: str = ""


def steps(page: Path) -> list[Step]:
    found = []
    for language, more, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if language != "sh":
            found.append(Step("save", text, more))
        else:
            found.append(Step("keep running" if more else "type", text))
    return found


def commands(text: str) -> list[str]:
    """The commands of a block: a quotation that is open at the end of a line goes on in the next."""
    found: list[str] = []
    open_quote = False
    for line in text.splitlines():
        if open_quote:
            found[-1] += f"\n{line}"
        else:
            found.append(line)
        open_quote = found[-1].count("'") % 2 == 1
    return found
