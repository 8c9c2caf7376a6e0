"""Files as events, lazily: NDJSON and the Taobao format, plain or gzip, from a path or from stdin.

A line that is no event does not end the reading: it comes out as a :class:`Fault` in its place, with its number and the path
of what is wrong. A last line without a newline that does not parse is a *cut tail* (a copy that ended early): reported, but
no fault of the file's author, so it does not turn a replay's exit code to 3.
"""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from clickstream import events
from clickstream.errors import Missing, Rejected, UserMistake
from clickstream.events import AnyEvent
from clickstream.load.replay.taobao import TaobaoParser

#: A longer line is no event (Kinesis takes 1 MiB a record), and must not fill the reader's memory.
MAX_LINE_BYTES = 1 << 20
STDIN = "-"
_GZIP_MAGIC = b"\x1f\x8b"

#: (line number from 1, the line without its newline) → the event; raises Rejected.
Parser = Callable[[int, bytes], AnyEvent]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A line that is no event. ``tail``: the file ended in the middle of it."""

    line: int
    path: str
    reason: str
    tail: bool = False

    def __str__(self) -> str:
        cut = " (the file is cut here)" if self.tail else ""
        return f"line {self.line}: {self.reason} at {self.path}{cut}"


def _ndjson(_number: int, line: bytes) -> AnyEvent:
    return events.decode(line)


#: Name of a format → makes its parser. Parsers may keep state (sessions), so each file gets its own.
FORMATS: dict[str, Callable[[], Parser]] = {"ndjson": lambda: _ndjson, "taobao": TaobaoParser}


class Line(msgspec.Struct, frozen=True):
    """An event and the number of its line, from 1."""

    number: int
    event: AnyEvent


class Source(msgspec.Struct, frozen=True):
    """An open input: its bytes after decompression, and how far the file behind them has been read."""

    lines: BinaryIO
    raw: BinaryIO
    size: int | None
    """Bytes of the file on disk; None when it is not a regular file."""

    def bytes_read(self) -> int:
        return self.raw.tell() if self.size is not None else 0


@contextmanager
def opened(path: str) -> Iterator[Source]:
    """A path, or ``-`` for stdin; gzip is recognised by its first bytes, not by its name. Raises Missing, UserMistake."""
    if path == STDIN:
        yield _decompressed(sys.stdin.buffer, None)
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115  closed by the with below; only opening it may be a user's mistake
    except FileNotFoundError as error:
        raise Missing(f"no file {path}") from error
    except OSError as error:
        raise UserMistake(f"cannot read {path}: {error.strerror}") from error
    with file:
        regular = Path(path).is_file()
        yield _decompressed(file, Path(path).stat().st_size if regular else None)


def _decompressed(file: BinaryIO, size: int | None) -> Source:
    raw = cast("io.BufferedReader", file)
    if raw.peek(2)[:2] == _GZIP_MAGIC:
        return Source(cast("BinaryIO", gzip.open(raw)), file, size)
    return Source(file, file, size)


def read(lines: BinaryIO, parse: Parser) -> Iterator[Line | Fault]:
    """Events and faults in the order of the lines; blank lines are neither."""
    number = 0
    while True:
        try:
            line = lines.readline(MAX_LINE_BYTES)
            too_long = len(line) == MAX_LINE_BYTES and not line.endswith(b"\n")
            if too_long:
                _skip_line(lines)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            yield Fault(line=number + 1, path="$", reason=f"damaged gzip: {error}")
            return
        if not line:
            return
        number += 1
        if too_long:
            yield Fault(line=number, path="$", reason=f"longer than {MAX_LINE_BYTES:,} bytes")
            continue
        text = line.rstrip(b"\r\n")
        if not text.strip():
            continue
        try:
            yield Line(number, parse(number, text))
        except Rejected as error:
            yield Fault(line=number, path=error.path, reason=error.reason, tail=not line.endswith(b"\n"))


def _skip_line(lines: BinaryIO) -> None:
    while (rest := lines.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
        pass
