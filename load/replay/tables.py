"""Tables as events, row by row in bounded memory: CSV (apart by , ; tab or |) and Parquet; what is no event is a fault."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from clickstream import events
from clickstream.errors import Missing, Rejected, UserMistake
from clickstream.load.driving.pace import now_ms
from clickstream.load.replay.formats import Fault, Line
from clickstream.load.replay.mapping import Rows
from clickstream.producers.lines import numbered

PARQUET = b"PAR1"
_DELIMITERS = ",;\t|"
_ROWS = 1_000


def from_csv(source: BinaryIO, rows: Rows, names: Sequence[str] = ()) -> Iterator[Line | Fault]:
    """``names`` are the columns of a file without a header. Raises UserMistake when a column of the mapping is not there."""
    faults: list[Fault] = []
    at, cut = 0, False

    def texts() -> Iterator[str]:
        nonlocal at, cut
        for number, line in numbered(source):
            at = number
            try:
                if isinstance(line, Rejected):
                    raise line
                cut = not line.endswith(b"\n")
                yield line.decode()
            except Rejected as error:
                faults.append(Fault(line=number, path=error.path, reason=error.reason))
            except UnicodeDecodeError:
                faults.append(Fault(line=number, path="$", reason="not UTF-8"))

    lines = texts()
    first = next(lines, "")
    delimiter = max(_DELIMITERS, key=first.count)
    columns = [name.strip() for name in names or next(csv.reader([first], delimiter=delimiter), [])]
    rows.check(columns)
    reader = csv.reader(_before(first, lines) if names else lines, delimiter=delimiter)
    while True:
        try:
            values = next(reader, None)
        except csv.Error as error:
            faults.append(Fault(line=at, path="$", reason=f"not CSV: {error}"))
            values = []
        yield from faults
        faults.clear()
        if values is None:
            return
        if not values:
            continue
        if len(values) != len(columns):
            yield Fault(line=at, path="$", reason=f"{len(values)} fields where {len(columns)} were expected", tail=cut)
        else:
            yield _entry(at, dict(zip(columns, values, strict=True)), rows)


def _before(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def from_parquet(path: str, rows: Rows) -> Iterator[Line | Fault]:
    """Raises Missing without pyarrow, UserMistake for a damaged file or when a column of the mapping is not there."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise Missing("Parquet needs pyarrow, which is not installed", hint="pip install 'clickstream[archive]'") from error
    try:
        with parquet.ParquetFile(path) as file:
            rows.check(file.schema_arrow.names)
            number = 0
            for batch in file.iter_batches(_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield _entry(number, row, rows)
    except (pyarrow.ArrowException, OSError) as error:
        raise UserMistake(f"{path!r} is no Parquet that can be read: {str(error).splitlines()[0]}") from error


def is_parquet(path: str) -> bool:
    with open(path, "rb") as file:  # noqa: PTH123  # as the shell gave it
        return file.read(len(PARQUET)) == PARQUET


def _entry(number: int, row: dict[str, Any], rows: Rows) -> Line | Fault:
    try:
        event = rows.event(number, row)
        events.admit(event, event.user_id, now_ms())
        return Line(number, event, events.encode(event))
    except Rejected as error:
        return Fault(line=number, path=error.path, reason=error.reason)
