"""Lines into objects on S3, each line once, whatever is written again and however it is cut.

An object holds the lines of one block of ordinals that occurred on one day; it is written again with each more that come,
until its block is full. Its metadata tell which ordinal comes next: what it has already is left out. A put names the version
that it replaces, so that two writers of one shard never overwrite each other's lines.

    <files>/date=2026-11-24/shardId-000000000003.00000012.ndjson
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec
from typing import Any, NamedTuple

import msgspec
from botocore.exceptions import ClientError

from clickstream.answers.effects import Line
from clickstream.aws.boto_types import S3Client
from clickstream.errors import Missing, RetryLater, Unwritable
from clickstream.failures.outages import translated

#: An object has no more, as it is written whole each time it grows. Objects are named by the block's number: with another
#: size the lines of a replay would be stored a second time.
BLOCK_LINES = 1_000
#: Objects that may still grow, kept in memory.
_MOST_OPEN = 8
_ATTEMPTS = 5


class _Version(NamedTuple):
    following: int
    """The first ordinal that it does not have yet."""
    etag: str
    body: bytes


_NOTHING = _Version(0, "", b"")


class FilesBucket:
    """``formats``: by the files' name. Raises Missing when Parquet is asked for and pyarrow is not installed."""

    def __init__(self, s3: S3Client, bucket: str, shard_id: str, formats: Mapping[str, str]) -> None:
        if "parquet" in formats.values() and find_spec("pyarrow") is None:
            raise Missing("Parquet needs pyarrow, which is not installed", hint="pip install 'clickstream[archive]'")
        self._s3, self._bucket, self._shard_id, self._formats = s3, bucket, shard_id, formats
        self._open: dict[str, _Version] = {}

    def writes(self, lines: Sequence[Line]) -> list[Callable[[], None]]:
        """One for each object; they may run side by side."""
        for key in list(self._open)[:-_MOST_OPEN]:
            del self._open[key]
        objects: dict[str, list[Line]] = {}
        for line in lines:
            day = datetime.fromtimestamp(line.at_ms / 1000, UTC)
            name = f"{self._shard_id}.{line.ordinal // BLOCK_LINES:08d}.{self._formats[line.files]}"
            objects.setdefault(f"{line.files}/date={day:%Y-%m-%d}/{name}", []).append(line)
        return [partial(self._write, key, each) for key, each in objects.items()]

    def _write(self, key: str, lines: Sequence[Line]) -> None:
        there = self._open.pop(key, _NOTHING)
        for _ in range(_ATTEMPTS):
            try:
                self._open[key] = self._put(key, there, [line for line in lines if line.ordinal >= there.following])
                return
            except ClientError:  # the object is not what we took it for
                there = self._look(key)
        raise RetryLater(f"S3: {key} changes under our hands")

    def _put(self, key: str, there: _Version, new: Sequence[Line]) -> _Version:
        if not new:
            return there
        texts, following = [line.line for line in new], new[-1].ordinal + 1
        is_parquet = key.endswith(".parquet")
        body = _parquet(there.body, texts) if is_parquet else there.body + b"".join(text + b"\n" for text in texts)
        replaced: dict[str, Any] = {"IfMatch": there.etag} if there.etag else {"IfNoneMatch": "*"}
        metadata = {"following": str(following)}
        with translated("S3"):
            answer = self._s3.put_object(Bucket=self._bucket, Key=key, Body=body, Metadata=metadata, **replaced)
        return _Version(following, answer["ETag"], body)

    def _look(self, key: str) -> _Version:
        try:
            with translated("S3"):
                found = self._s3.get_object(Bucket=self._bucket, Key=key)
                return _Version(int(found["Metadata"]["following"]), found["ETag"], found["Body"].read())
        except ClientError:
            return _NOTHING


def _parquet(body: bytes, lines: Sequence[bytes]) -> bytes:
    """A field that a line does not have is null. Raises Unwritable when a field's type is not that of the lines before."""
    import pyarrow as pa
    import pyarrow.json
    import pyarrow.parquet

    decoded = [msgspec.json.decode(line, type=dict[str, Any]) for line in lines]
    try:
        # else Arrow takes text for a time where it looks like one
        texts = _text_in(decoded) or pa.struct([])
        table = pyarrow.json.read_json(
            pa.BufferReader(b"\n".join(lines)),
            read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=sum(map(len, lines)) + len(lines)),
            parse_options=pyarrow.json.ParseOptions(explicit_schema=pa.schema(list(texts))),
        )
        if body:
            # read_table would import pandas, which no worker may carry
            before = pyarrow.parquet.ParquetFile(pa.BufferReader(body)).read(use_threads=False)
            table = pa.concat_tables([before, table], promote_options="permissive")
        file = pa.BufferOutputStream()
        pyarrow.parquet.write_table(table, file, compression="zstd")
    except (pa.ArrowException, RecursionError) as error:
        raise Unwritable(f"Parquet: {error}") from error
    encoded: bytes = file.getvalue().to_pybytes()
    return encoded


def _text_in(values: Sequence[Any]) -> Any:
    """The Arrow type of those among the values that are text or hold some; None if none does."""
    import pyarrow as pa

    if any(isinstance(value, str) for value in values):
        return pa.string()
    if lists := [value for value in values if isinstance(value, list)]:
        inner = _text_in([each for value in lists for each in value])
        return None if inner is None else pa.list_(inner)
    fields: dict[str, list[Any]] = {}
    for value in values:
        for name, each in value.items() if isinstance(value, dict) else ():
            fields.setdefault(name, []).append(each)
    typed = [(name, kind) for name, each in fields.items() if (kind := _text_in(each)) is not None]
    return pa.struct(typed) if typed else None
