"""Events as Parquet: the way from their JSON to a file. Pure.

pyarrow parses the JSON itself. Its conversion from Python objects would import pandas, which no worker may carry.
"""

import io
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet

from clickstream.consumers.archive.columns import COLUMNS, TIME, Columns

#: Events of a row group: what is parsed and held as columns at a time. Compaction makes large row groups of them.
ROWS = 4_000


def encode(lines: Sequence[bytes], columns: Columns = COLUMNS) -> bytes:
    """One Parquet file of these events (JSON objects), in their order."""
    file = pa.BufferOutputStream()
    with pyarrow.parquet.ParquetWriter(file, columns.schema, compression="zstd") as writer:
        for start in range(0, len(lines), ROWS):
            writer.write_table(_table(lines[start : start + ROWS], columns))
    encoded: bytes = file.getvalue().to_pybytes()
    del file
    # a shard's process writes a file now and then: what Arrow keeps for the next one would be a third of its memory
    pa.default_memory_pool().release_unused()
    return encoded


def _table(lines: Sequence[bytes], columns: Columns) -> pa.Table:
    try:
        return _parsed(b"\n".join(map(columns.arranged, lines)), columns)
    except pa.ArrowInvalid:
        # what does not fit its column must not keep the shard from its other events
        if len(lines) == 1:
            return _parsed(columns.arranged(lines[0], fits=False), columns)
        half = len(lines) // 2
        return pa.concat_tables([_table(part, columns) for part in (lines[:half], lines[half:])])


def _parsed(data: bytes, columns: Columns) -> pa.Table:
    """The lines as columns, with times in the unit of the file."""
    table = pyarrow.json.read_json(
        io.BytesIO(data),
        read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=columns.parsed, unexpected_field_behavior="ignore"),
    )
    times = table.column(TIME).cast(pa.timestamp("ms")).cast(pa.timestamp("us"))
    return table.set_column(TIME, columns.schema.field(TIME), times)


def merge(files: Sequence[bytes]) -> tuple[bytes, int]:
    """One file of several, sorted by ordinal, and how many events it has."""
    tables = [pyarrow.parquet.read_table(pa.BufferReader(file), use_threads=False) for file in files]
    table = pa.concat_tables(tables, promote_options="default").sort_by("ordinal")
    out = pa.BufferOutputStream()
    pyarrow.parquet.write_table(table, out, compression="zstd")
    return out.getvalue().to_pybytes(), table.num_rows
