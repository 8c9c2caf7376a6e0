"""Ids in requests and arguments, held to the bounds of an event's own keys. Pure."""

import click
import msgspec

from clickstream.errors import UserMistake
from clickstream.events import MOST_KEY_BYTES, Key, key_faults


def key(text: str, name: str) -> str:
    """The id; raises UserMistake, which does not repeat it, for an id that no event can have."""
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
    name = "id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return key(value, "id")
        except UserMistake as error:
            self.fail(f"{error}: {error.hint}", param, ctx)
