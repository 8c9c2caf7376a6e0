"""Events as Parquet: the columns, and the way from an event's JSON to a file. Pure.

pyarrow parses the JSON itself. Its conversion from Python objects would import pandas, which no worker may carry.
"""

import io
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet

_TEXT = pa.string()
#: As JSON has it: the time still a number.
_PARSED = pa.schema(
    [
        ("ordinal", pa.int64()),
        ("type", _TEXT),
        ("event_id", _TEXT),
        ("user_id", _TEXT),
        ("session_id", _TEXT),
        ("occurred_at", pa.int64()),
        ("schema_version", pa.int16()),
        (
            "context",
            pa.struct([(name, _TEXT) for name in ("ip", "device", "country", "referrer", "device_kind", "traceparent")]),
        ),
        ("url", _TEXT),
        ("product_id", _TEXT),
        ("category", _TEXT),
        ("quantity", pa.int32()),
        ("query", _TEXT),
        ("order_id", _TEXT),
        (
            "items",
            pa.list_(pa.struct([("product_id", _TEXT), ("category", _TEXT), ("quantity", pa.int32()), ("price", pa.int64())])),
        ),
        ("amount", pa.int64()),
        ("currency", _TEXT),
        ("payment_fingerprint", _TEXT),
        ("success", pa.bool_()),
    ]
)
_TIME = _PARSED.get_field_index("occurred_at")
#: Without a time zone, and UTC: readers need no zone data to cut it into hours. In microseconds, which every engine knows.
SCHEMA = _PARSED.set(_TIME, pa.field("occurred_at", pa.timestamp("us")))
"""A file's columns; a field that an event type does not have is null. (shard, ordinal) tells each event from all others; the
shard is in the file's name, the date and hour in its path."""


#: Events of a row group: what is parsed and held as columns at a time. Compaction makes large row groups of them.
ROWS = 4_000


def encode(lines: Sequence[bytes]) -> bytes:
    """One Parquet file of these events (JSON objects), in their order."""
    file = pa.BufferOutputStream()
    with pyarrow.parquet.ParquetWriter(file, SCHEMA, compression="zstd") as writer:
        for start in range(0, len(lines), ROWS):
            writer.write_table(_parsed(b"\n".join(lines[start : start + ROWS])))
    encoded: bytes = file.getvalue().to_pybytes()
    del file
    # a shard's process writes a file now and then: what Arrow keeps for the next one would be a third of its memory
    pa.default_memory_pool().release_unused()
    return encoded


def _parsed(data: bytes) -> pa.Table:
    """The lines as columns, with times in the unit of the file."""
    table = pyarrow.json.read_json(
        io.BytesIO(data),
        read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=_PARSED, unexpected_field_behavior="ignore"),
    )
    times = table.column(_TIME).cast(pa.timestamp("ms")).cast(pa.timestamp("us"))
    return table.set_column(_TIME, SCHEMA.field(_TIME), times)


def merge(files: Sequence[bytes]) -> tuple[bytes, int]:
    """One file of several, sorted by ordinal, and how many events it has."""
    tables = [pyarrow.parquet.read_table(pa.BufferReader(file), use_threads=False) for file in files]
    table = pa.concat_tables(tables, promote_options="default").sort_by("ordinal")
    out = pa.BufferOutputStream()
    pyarrow.parquet.write_table(table, out, compression="zstd")
    return out.getvalue().to_pybytes(), table.num_rows
