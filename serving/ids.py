"""The ids that a client or a person asks for, held to the bounds that an event's own keys have. Pure."""

from __future__ import annotations

import click
import msgspec

from clickstream.errors import UserMistake
from clickstream.events import MOST_KEY_BYTES, Key, key_faults


def key(text: str, name: str) -> str:
    """The id; raises UserMistake for one that no event can have, without saying it again."""
    try:
        msgspec.convert(text, Key)
        if not any(key_faults(text)):
            return text
    except msgspec.ValidationError:
        pass
    raise UserMistake(
        f"no event can have this {name}",
        hint=f"1 to 256 characters, at most {MOST_KEY_BYTES} bytes of UTF-8, no control characters",
    )


class Id(click.ParamType[str]):
    """An argument of the command line."""

    name = "id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return key(value, "id")
        except UserMistake as error:
            self.fail(f"{error}: {error.hint}", param, ctx)
