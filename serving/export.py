"""A query's result as a file: Parquet, CSV, or NDJSON, in which whole events are as `clickstream produce` takes them."""

import csv
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec

from clickstream.consumers.archive.views import Result
from clickstream.errors import Rejected, UserMistake
from clickstream.serving.api.operation import cell


class FileOf(click.Path):
    """A file to be made, told by its ending."""

    def __init__(self, *endings: str) -> None:
        super().__init__(dir_okay=False, path_type=Path)
        self._endings = endings

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        file: Path = super().convert(value, param, ctx)  # type: ignore[assignment]  # of this path_type
        if file.suffix not in self._endings:
            self.fail(f"{file}: FILE{', FILE'.join(self._endings)}", param, ctx)
        if not file.absolute().parent.is_dir():
            raise UserMistake(f"there is no folder {file.parent}", hint="make it, or choose another with --out")
        return file


class Written(NamedTuple):
    """``unfit``: how many of the rows are no events here, and why the first is none."""

    rows: int
    unfit: int = 0
    why: str = ""


def write(result: Result, file: Path) -> Written:
    """All of it or nothing: a file that was there stays until the new one is whole. Raises UserMistake."""
    part = file.with_name(f"{file.name}.part")
    try:
        written = _FORMS[file.suffix](result, part)
        part.replace(file)
    except OSError as error:
        raise UserMistake(f"cannot write {file}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            part.unlink()
    return written


def _parquet(result: Result, file: Path) -> Written:
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    batches, rows = result.batches(), 0
    try:
        with ParquetWriter(file, batches.schema, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(batch)
                rows += batch.num_rows
    except pa.ArrowNotImplementedError as error:
        raise UserMistake(f"Parquet has no such column: {error}", hint="cast it in the SQL, or write FILE.ndjson") from error
    return Written(rows)


def _csv(result: Result, file: Path) -> Written:
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(result.columns)
        rows = 0
        for row in result.rows():
            writer.writerow(map(_cell, row))
            rows += 1
    return Written(rows)


def _cell(value: Any) -> Any:
    """As itself, or as JSON where there are several values in one."""
    if isinstance(value, dict | list):
        return msgspec.json.encode(value, enc_hook=str).decode()
    return value.isoformat() if isinstance(value, date) else cell(value)


def _ndjson(result: Result, file: Path) -> Written:
    objects_of: Iterable[tuple[bytes, Rejected | None]] = ((line, None) for line in objects(result))
    lines = result.events() if result.is_of_events else objects_of
    rows, faults = 0, []
    with file.open("wb") as out:
        for line, fault in lines:
            out.write(line + b"\n")
            rows += 1
            if fault is not None:
                faults.append(f"line {rows}: {fault.reason} at {fault.path}")
    return Written(rows, len(faults), *faults[:1])


def objects(result: Result) -> Iterator[bytes]:
    """Each row as JSON."""
    return (msgspec.json.encode(row, enc_hook=str) for row in result.dicts())


_FORMS = {".parquet": _parquet, ".csv": _csv, ".ndjson": _ndjson}
