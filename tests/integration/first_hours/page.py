"""A page of the documentation as a person follows it: its files are saved, its commands typed, in the order of the text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

#: ```sh, ```sh exit CODE, ```sh terminal (one that keeps running), ```sh elsewhere (not to be typed here),
#: or ```LANGUAGE PATH (a file to save).
_BLOCK = re.compile(r"^```(\w+)(?: ([^\n]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Step(NamedTuple):
    kind: str
    """``type``, ``keep running`` or ``save``."""
    text: str
    path: str = ""
    code: int = 0


def steps(page: Path) -> list[Step]:
    found = []
    for language, more, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if language != "sh":
            found.append(Step("save", text, more))
        elif more == "terminal":
            found.append(Step("keep running", text))
        elif more != "elsewhere":
            found.append(Step("type", text, code=int(more.removeprefix("exit ") or 0)))
    return found


def commands(text: str) -> list[str]:
    """The commands of a block: a quotation, or a text up to END, that is open at the end of a line goes on in the next."""
    found: list[str] = []
    goes_on = False
    for line in text.splitlines():
        if goes_on:
            found[-1] += f"\n{line}"
        else:
            found.append(line)
        goes_on = found[-1].count("'") % 2 == 1 or ("<<END" in found[-1] and not found[-1].endswith("\nEND"))
    return found
