"""Clicks as arrays, grouped by session: what every recommender here is trained on. Pure but for ``read``."""

import gzip
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from clickstream.errors import Missing, UserMistake

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

HEADER = "SessionId\tItemId\tTime"


class Click(NamedTuple):
    """``at_s``: seconds since the epoch."""

    session: str
    item: str
    at_s: float


class Clicks(msgspec.Struct, frozen=True):
    """Sessions in order of their last click; session ``s`` is ``items[starts[s]:starts[s + 1]]``, in order of time.

    ``items`` are places in ``vocabulary``; ``ended_s`` is each session's last click, in seconds since the epoch.
    """

    vocabulary: Sequence[str]
    starts: Ints
    items: Ints
    ended_s: npt.NDArray[np.float64]
    began_s: float
    """The very first click."""

    @property
    def sessions(self) -> int:
        return len(self.ended_s)


def group(clicks: Iterable[Click]) -> Clicks:
    """Clicks in any order; within a session, those of one time stay in the order they came. The vocabulary is sorted."""
    by_session: dict[str, list[tuple[float, str]]] = {}
    for session, item, at_s in clicks:
        by_session.setdefault(session, []).append((at_s, item))
    began_s = min((min(clicks)[0] for clicks in by_session.values()), default=0.0)
    ordered = sorted((sorted(clicks, key=lambda click: click[0]) for clicks in by_session.values()), key=lambda c: c[-1][0])
    vocabulary = sorted({item for clicks in ordered for _, item in clicks})
    places = {item: place for place, item in enumerate(vocabulary)}
    return Clicks(
        vocabulary,
        np.cumsum([0, *map(len, ordered)], dtype=np.int32),
        np.array([places[item] for clicks in ordered for _, item in clicks], dtype=np.int32),
        np.array([clicks[-1][0] for clicks in ordered], dtype=np.float64),
        began_s,
    )


def read(path: Path) -> list[Click]:
    """A file as yoochoose has it: tab-separated SessionId, ItemId, Time (seconds), with that header; plain or gzip.

    Raises Missing, or UserMistake naming the line that is no click.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise Missing(f"no file {path}") from error
    except OSError as error:
        raise UserMistake(f"cannot read {path}: {error.strerror}") from error
    try:
        text = (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UserMistake(f"{path} is damaged: {error}") from error
    header, *lines = text.splitlines() or [""]
    if header != HEADER:
        raise UserMistake(f"{path} begins with {header[:60]!r}", hint=f"the header is {HEADER!r}, tab-separated")
    return [_click(path, number, line) for number, line in enumerate(lines, 2) if line]


def _click(path: Path, number: int, line: str) -> Click:
    try:
        session, item, at_s = line.split("\t")
        return Click(session, item, float(at_s))
    except ValueError as error:
        raise UserMistake(f"{path}, line {number} is no click: {line[:80]!r}") from error


def data_digest(clicks: Sequence[Click]) -> str:
    """Of the clicks themselves, whatever file they came in (hexadecimal SHA-256)."""
    digest = hashlib.sha256()
    for click in clicks:
        digest.update(f"{click.session}\t{click.item}\t{click.at_s!r}\n".encode())
    return digest.hexdigest()
