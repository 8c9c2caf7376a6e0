"""An operation of the JSON API as one value: its route, its OpenAPI description, its CSV and its options on the command line
are derived from it. Pure.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from clickstream.errors import UserMistake
from clickstream.events import MOST_KEY_BYTES, Key, key_faults
from clickstream.terminal import parse_moment

Schema = dict[str, Any]
Moment = Annotated[int, Meta(description="ms since the epoch, UTC")]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no answer."""

    error: str
    hint: str = ""


class Parameter(NamedTuple):
    name: str
    argument: str
    """Its name as an argument of the operation's ``read``."""
    description: str
    schema: Schema
    parse: Callable[[str, int], Any]
    """Of a text, and of the present time (ms); raises UserMistake."""
    default: str | None = None
    place: str = "query"
    required: bool = False

    def value(self, given: str | None, now_ms: int) -> Any:
        """None without a given text and a default."""
        text = self.default if given is None else given
        return None if text is None else self.parse(text, now_ms)


def count(name: str, default: int, most: int, description: str) -> Parameter:
    def parse(text: str, _: int) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
            raise UserMistake(f"bad {name} {text!r}", hint=f"a number from 1 to {most}")
        return int(text)

    schema = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    return Parameter(name, name, description, schema, parse, str(default))


def text(name: str, description: str) -> Parameter:
    return Parameter(name, name, description, {"type": "string"}, lambda text, _: text)


def moment(name: str, argument: str, description: str) -> Parameter:
    schema = {"type": "string", "examples": ["2026-11-24T10:00Z", "2h ago", "now", "1795527440000"]}
    return Parameter(name, argument, description, schema, parse_moment)


def choice(name: str, options: Sequence[str], default: str, description: str) -> Parameter:
    def parse(text: str, _: int) -> str:
        if text not in options:
            raise UserMistake(f"no {name} {text!r}", hint=f"{', '.join(options[:-1])} or {options[-1]}")
        return text

    schema = {"type": "string", "enum": [*options], "default": default}
    return Parameter(name, name, description, schema, parse, default)


def key(name: str, argument: str, description: str, *, place: str = "query") -> Parameter:
    def parse(text: str, _: int) -> str:
        return as_id(text, argument.replace("_", " "))

    return Parameter(name, argument, description, msgspec.json.schema(Key), parse, place=place, required=place == "path")


def as_id(text: str, name: str) -> str:
    """Held to the bounds of an event's own keys. Raises UserMistake, which does not repeat it."""
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


def products(name: str, description: str, *, most: int, required: bool = False, instead: str = "") -> Parameter:
    """Product ids with commas between. ``instead``: what else one may ask, for the hint."""
    allowed = f"1 to {most}{instead}" if required else f"at most {most}"

    def parse(text: str, _: int) -> list[str]:
        found = [as_id(item, "product id") for item in text.split(",") if item]
        if len(found) > most or (required and not found):
            raise UserMistake(f"{len(found)} products in {name}", hint=allowed)
        return found

    schema = {"type": "string", "minLength": 1} if required else {"type": "string"}
    return Parameter(name, name, description, schema, parse, "", required=required)


FROM = moment("from", "start", "ISO 8601 (UTC without a zone), an age, now, or ms since the epoch")
TO = moment("to", "end", "the same; exclusive")
_AS_FILE = (
    choice("format", ("json", "csv"), "json", "csv is a file for a spreadsheet"),
    Parameter("download", "download", "answered as a file", {"type": "string", "enum": ["1"]}, lambda text, _: bool(text)),
)


class Sheet(NamedTuple):
    """An answer as CSV, in a file of this name (its arguments may be in it)."""

    name: str
    rows: Callable[[Any], Iterable[Sequence[Any]]]
    """The names of the columns first; times as ISO 8601."""

    def render(self, answer: Any) -> bytes:
        return table(self.rows(answer))


#: A cell that begins so is a formula to a spreadsheet; names come from visitors.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def table(rows: Iterable[Sequence[Any]]) -> bytes:
    """CSV in UTF-8 with the mark that spreadsheets look for."""
    out = io.StringIO(newline="")
    csv.writer(out).writerows([cell(value) for value in row] for row in rows)
    return "\ufeff".encode() + out.getvalue().encode()


def cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value


class Caching(NamedTuple):
    """``tag`` is the answer's ETag; for ``fresh_s`` seconds it may be shown again without asking, None: not at all."""

    tag: Callable[[Any], str]
    fresh_s: Callable[[Any], int | None]


class Operation(NamedTuple):
    path: str
    summary: str
    reader: str
    """The field of :class:`clickstream.serving.api.routes.Readers` that answers; without it the operation is not offered."""
    answer: Any
    read: Callable[..., Any]
    """Called as ``read(reader, now_ms, **arguments)`` on a thread; a coroutine function as ``read(reader, request, …)``."""
    own: Sequence[Parameter] = ()
    sheet: Sheet | None = None
    """None: JSON alone."""
    caching: Caching | None = None
    absent: str = ""
    """The error of the 404 for None; empty: there is always an answer."""
    is_found: Callable[[Any], bool] | None = None
    """False for an answer that is given with status 404."""
    body: Any = None
    """The type of what is sent: then it changes something, is a POST and ``read`` is given it as ``sent``."""

    @property
    def parameters(self) -> Sequence[Parameter]:
        return self.own if self.sheet is None else (*self.own, *_AS_FILE)

    @property
    def route(self) -> str:
        """The path as the router has it: an id may hold slashes."""
        return re.sub(r"\{(\w+)\}", r"{\1:path}", self.path)
