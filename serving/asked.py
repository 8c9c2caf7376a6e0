"""The ids that a client or a person asks for, held to the bounds that an event's own keys have. Pure."""

from __future__ import annotations

import re

import click
import msgspec

from clickstream.errors import UserMistake
from clickstream.events import Key

#: Of UTF-8: what the stores take as a part of their keys.
MOST_BYTES = 512
_NO_TEXT = re.compile(r"[\u0000-\u001f\u007f-\u009f\ud800-\udfff]")


def key(text: str, name: str) -> str:
    """The id; raises UserMistake for one that no event can have, without saying it again."""
    try:
        msgspec.convert(text, Key)
        if _NO_TEXT.search(text) is None and len(text.encode()) <= MOST_BYTES:
            return text
    except msgspec.ValidationError:
        pass
    raise UserMistake(
        f"no event can have this {name}",
        hint=f"1 to 256 characters, at most {MOST_BYTES} bytes of UTF-8, no control characters",
    )


class Id(click.ParamType[str]):
    """An argument of the command line."""

    name = "id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return key(value, "id")
        except UserMistake as error:
            self.fail(f"{error}: {error.hint}", param, ctx)
