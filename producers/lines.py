"""Lines of a file or stdin, in bounded memory: plain, gzip or zstd, told by the first bytes; and what is wrong with each."""

import gzip
import io
import sys
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec
import zstandard

from clickstream.errors import Missing, Rejected, Undecodable, UserMistake
from clickstream.producers.door import Entered, enter

#: A longer line is no event (Kinesis takes 1 MiB a record), and must not fill the memory.
MAX_LINE_BYTES = 1 << 20
_TOO_LONG = f"a line of more than {MAX_LINE_BYTES:,} bytes"
#: Bytes of zstd that are inflated at once: it may make 40,000 of one.
_PIECE = 256
_NOT_LINES = {b"PK": "a zip file", b"BZh": "a bzip2 file", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16", b"[": "a JSON array"}


def read(source: BinaryIO, new_id: Callable[[], str], wall_ms: Callable[[], int]) -> Iterator[tuple[int, Entered | Rejected]]:
    """The numbered lines of an NDJSON source; blank lines are passed over."""
    for number, raw in numbered(source):
        if isinstance(raw, Rejected):
            yield number, raw
        elif data := raw.strip():
            try:
                yield number, enter(data, new_id, wall_ms())
            except Rejected as error:
                yield number, error


def numbered(source: BinaryIO) -> Iterator[tuple[int, bytes | Rejected]]:
    """(number from 1, the line with its newline, or why it cannot be read); a damaged file ends with the latter."""
    number = 1
    try:
        while line := source.readline(MAX_LINE_BYTES):
            part = line
            while len(part) == MAX_LINE_BYTES and not part.endswith(b"\n"):
                part = source.readline(MAX_LINE_BYTES)
            # files that were put together may each begin with the mark
            yield number, line.removeprefix(BOM_UTF8) if part is line else Undecodable(_TOO_LONG)
            number += 1
    except (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
        yield number, Undecodable(f"the file is damaged or cut here, and cannot be unpacked: {error}")


class Source(msgspec.Struct, frozen=True):
    """An open input: its bytes as unpacked, and how far the file behind them has been read."""

    lines: BinaryIO
    file: BinaryIO
    size: int | None
    """Bytes of the file; None of a pipe or a terminal."""

    def bytes_read(self) -> int:
        return 0 if self.size is None else self.file.tell()


@contextmanager
def opened(path: str) -> Iterator[Source]:
    """Open a file by name (``-`` is stdin); raises Missing, and UserMistake for what is no lines."""
    if path == "-":
        yield Source(_unpacked(path, sys.stdin.buffer), sys.stdin.buffer, None)
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115  # closed below; the error must not be confused with one of the reader's
    except OSError as error:
        raise Missing(f"cannot read {path!r}: {error.strerror}", hint="give a file of events, or - for stdin") from error
    with file:
        yield Source(_unpacked(path, file), file, Path(path).stat().st_size if Path(path).is_file() else None)


def _unpacked(path: str, file: BinaryIO) -> BinaryIO:
    """Raises UserMistake for what has no lines of UTF-8."""
    head = file.read(4)  # a pipe may bring them one by one, and cannot be looked at twice
    for magic, what in _NOT_LINES.items():
        if head.removeprefix(BOM_UTF8).startswith(magic):
            raise UserMistake(f"{path!r} is {what}", hint="one event a line (NDJSON, UTF-8); gzip and zstd are unpacked")
    whole = io.BufferedReader(_Pieces(chain([head], iter(cast("io.BufferedReader", file).read1, b""))))
    if head.startswith(b"\x1f\x8b"):
        return cast("BinaryIO", gzip.open(whole))
    return io.BufferedReader(_Pieces(_inflated(whole))) if head == b"\x28\xb5\x2f\xfd" else whole


def _inflated(file: BinaryIO) -> Iterator[bytes]:
    """zstandard's own stream ends in silence where a file is cut short."""
    frame = None
    while data := file.read(_PIECE):
        while data:
            frame = frame or zstandard.ZstdDecompressor().decompressobj()
            yield frame.decompress(data)
            data, frame = (frame.unused_data, None) if frame.eof else (b"", frame)
    if frame is not None:
        raise EOFError("the end is missing")


class _Pieces(io.RawIOBase):
    """A file that comes in pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._text = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._text:
            if (piece := next(self._pieces, None)) is None:
                return 0
            self._text = memoryview(piece)
        size = min(len(buffer), len(self._text))
        buffer[:size], self._text = self._text[:size], self._text[size:]
        return size
