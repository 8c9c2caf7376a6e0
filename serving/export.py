"""A query's result as a file: Parquet, CSV, or NDJSON, in which whole events are as `clickstream produce` takes them."""

import csv
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from clickstream.consumers.archive.views import Result
from clickstream.errors import UserMistake
from clickstream.serving.api.operation import cell


class Written(NamedTuple):
    """``unfit``: how many of the rows are no events here, and why the first is none."""

    rows: int
    unfit: int = 0
    why: str = ""


def write(result: Result, file: Path) -> Written:
    """All of it or nothing: a file that was there stays until the new one is whole. Raises UserMistake."""
    part = file.with_name(f"{file.name}.part")
    try:
        written = FORMS[file.suffix](result, part)
        part.replace(file)
    except OSError as error:
        raise UserMistake(f"cannot write {file}: {error.strerror or error}", hint="is its folder there?") from error
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
        return Written(sum(1 for row in result.rows() if writer.writerow(map(_cell, row))))


def _cell(value: Any) -> Any:
    """A structure as its JSON, a time as ISO 8601."""
    if isinstance(value, str | int | float | None):
        return cell(value)
    text = msgspec.json.encode(value, enc_hook=str).decode()
    return text if isinstance(value, dict | list) else text.strip('"')


def _ndjson(result: Result, file: Path) -> Written:
    lines = (
        result.events() if result.is_of_events else ((msgspec.json.encode(row, enc_hook=str), None) for row in result.dicts())
    )
    rows, faults = 0, []
    with file.open("wb") as out:
        for rows, (line, fault) in enumerate(lines, 1):
            out.write(line + b"\n")
            faults += [] if fault is None else [f"line {rows}: {fault}"]
    return Written(rows, len(faults), *faults[:1])


#: Ending of the file's name → how it is written.
FORMS = {".parquet": _parquet, ".csv": _csv, ".ndjson": _ndjson}
