"""NDJSON from a file or stdin: one event per line, and where a line is wrong, its number and reason."""

import gzip
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from clickstream.errors import Missing, Rejected, UserMistake
from clickstream.events import AnyEvent, admit, decode
from clickstream.producers import door


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line of the input that is not blank; ``event`` is what it says, or why it says nothing."""

    number: int
    data: bytes
    event: AnyEvent | Rejected
    assigned: door.Assigned = {}
    not_kept: Sequence[str] = ()
    """The paths of what its type does not declare."""


def read(source: Iterable[bytes], new_id: Callable[[], str], wall_ms: Callable[[], int]) -> Iterator[Line]:
    """The lines of an NDJSON source, numbered from 1; blank lines are passed over. What no reader would take is rejected.

    A line stays as it is, but for what its sender left to us.
    """
    for number, raw in enumerate(source, start=1):
        data = raw.strip()
        if not data:
            continue
        try:
            now_ms = wall_ms()
            as_declared = door.is_as_declared(data)
            line, fields, assigned = (data, {}, {}) if as_declared else door.opened(data, new_id, now_ms)
            event = decode(line)
            admit(event, event.user_id, now_ms)
            yield Line(number, line, event, assigned, () if as_declared else door.not_kept(fields, event))
        except Rejected as error:
            yield Line(number, data, error)


class Source(msgspec.Struct, frozen=True):
    lines: BinaryIO
    consumed: BinaryIO
    """What tells how far the reading is: the file itself, below decompression."""
    size: int | None
    """Bytes of the file, None for stdin."""


@contextmanager
def opened(path: str) -> Iterator[Source]:
    """Open a file by name (``-`` is stdin, ``.gz`` is decompressed); raises Missing, and UserMistake for a broken gzip file."""
    if path == "-":
        yield Source(sys.stdin.buffer, sys.stdin.buffer, None)
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115  # closed below; the error must not be confused with one of the reader's
    except OSError as error:
        raise Missing(f"cannot read {path}: {error.strerror}", hint="give a file of NDJSON events, or - for stdin") from error
    with file:
        size = Path(path).stat().st_size
        if not path.endswith(".gz"):
            yield Source(file, file, size)
            return
        try:
            yield Source(gzip.GzipFile(fileobj=file), file, size)  # type: ignore[arg-type]  # a BinaryIO in all that we use
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise UserMistake(f"{path} is not a whole gzip file: {error}", hint="what came before the fault was put") from error
