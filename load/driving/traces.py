"""Recorded request rates: one number for each second, between blanks or line ends; as text, bzip2, or in a tar of either."""

from __future__ import annotations

import bz2
import itertools
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from clickstream.errors import UserMistake

_BZIP2 = b"BZh"


def read(path: Path, seconds: int) -> list[float]:
    """The first ``seconds`` numbers, not all of them zero. Raises UserMistake, naming what is none."""
    with _opened(path) as lines:
        words = (word for line in lines for word in line.split())
        rates = [_number(path, place, word) for place, word in enumerate(itertools.islice(words, seconds), start=1)]
    if not any(rates):
        raise UserMistake(f"{path}: no requests in the first {seconds} seconds")
    return rates


def _number(path: Path, place: int, word: bytes) -> float:
    try:
        number = float(word)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise UserMistake(f"{path}: number {place} is no rate: {word[:40]!r}")
    return number


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The lines of a file, or of the first file of an archive."""
    if not tarfile.is_tarfile(path):
        with path.open("rb") as file:
            is_packed = file.read(len(_BZIP2)) == _BZIP2
        with bz2.open(path) if is_packed else path.open("rb") as lines:
            yield lines
        return
    with tarfile.open(path) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                yield content
                return
    raise UserMistake(f"{path} holds no file")
