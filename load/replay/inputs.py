"""What FILE names, as events: a file, stdin, or all files of a folder, each in the format that its content and name tell.

In a folder, a file that cannot be read is a fault (line 0), and the next is read; alone, it raises.
"""

from __future__ import annotations

import zlib
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from clickstream.errors import Missing, UserMistake
from clickstream.load.replay import formats, tables
from clickstream.load.replay.formats import Fault, Line
from clickstream.load.replay.mapping import ColumnMap, Rows
from clickstream.producers import lines

NAMES = (*formats.FORMATS, "csv", "parquet")
_HEAD = 64
_HINT = "give a file of events, a folder of such, or - for stdin"


class Form(msgspec.Struct, frozen=True):
    """What the options say of the files; ``name`` None: each by itself."""

    name: str | None = None
    mapping: ColumnMap = ColumnMap()
    columns: tuple[str, ...] = ()
    """Of CSV without a header."""


class Input:
    """Its lines, by iteration; ``name`` is the file that they are of."""

    def __init__(self, path: str, form: Form) -> None:
        self.name = path
        self._form = form
        self._is_folder = path != "-" and Path(path).is_dir()
        self._paths = below(path) if self._is_folder else [path]
        if path != "-" and not Path(path).exists():
            raise Missing(f"cannot read {path!r}: no such file", hint=_HINT)  # before anything is connected to
        is_sized = path != "-" and all(Path(each).is_file() for each in self._paths)
        self.size = sum(Path(each).stat().st_size for each in self._paths) if is_sized else None
        self._before = 0
        self._source: lines.Source | None = None
        self._parsers = {name: make() for name, make in formats.FORMATS.items()}
        self._rows = Rows(form.mapping)

    def bytes_read(self) -> int:
        return self._before + (self._source.bytes_read() if self._source is not None else 0)

    def __iter__(self) -> Iterator[Line | Fault]:
        for path in self._paths:
            self.name = path
            try:
                yield from self._entries(path)
            except UserMistake as error:
                if not self._is_folder:
                    raise
                yield Fault(
                    line=0, path="$", reason=" ".join(filter(None, (f"passed over: {error}", error.hint and f"({error.hint})")))
                )
            self._source = None
            self._before += Path(path).stat().st_size if self.size is not None else 0

    def _entries(self, path: str) -> Iterator[Line | Fault]:
        if self._form.name == "parquet" or (path != "-" and Path(path).is_file() and tables.is_parquet(path)):
            yield from tables.from_parquet(path, self._rows)
            return
        with lines.opened(path) as self._source:
            name = self._form.name or self._told(path, self._source.lines)
            if name == "csv":
                yield from tables.from_csv(self._source.lines, self._rows, self._form.columns)
            else:
                yield from formats.read(self._source.lines, self._parsers[name])

    def _told(self, path: str, source: Any) -> str:
        try:
            head = source.peek(_HEAD)[:_HEAD].removeprefix(BOM_UTF8).strip()
        except (EOFError, OSError, zlib.error, zstandard.ZstdError) as error:
            raise UserMistake(f"{path!r} is damaged, and cannot be unpacked: {error}") from error
        if head.startswith(b"{"):
            return "ndjson"
        if self._form != Form() or Path(path.removesuffix(".gz").removesuffix(".zst")).suffix in (".csv", ".tsv"):
            return "csv"
        if head and self._is_folder:
            raise UserMistake(
                "it does not look like events", hint="NDJSON, Parquet, or *.csv; --format says what all files are"
            )
        return "ndjson"


def below(folder: str) -> Sequence[str]:
    """Its files, also in folders of it, in the order of their paths; what begins with . or _ (``_SUCCESS``) holds no events."""
    found = sorted(
        str(each)
        for each in Path(folder).rglob("*")
        if each.is_file() and not any(part.startswith((".", "_")) for part in each.relative_to(folder).parts)
    )
    if not found:
        raise Missing(f"no files in {folder!r}", hint=_HINT)
    return found
