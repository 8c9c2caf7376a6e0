"""The read model: SQL over the archive, by DuckDB, with the files that a reader must look at and no others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from clickstream.aws import Clients
from clickstream.consumers.archive.fold import SCATTERED
from clickstream.consumers.archive.names import Name, covered, stored
from clickstream.consumers.archive.needs import ARCHIVE
from clickstream.errors import Missing, UserMistake
from clickstream.failures.outages import asked
from clickstream.settings import Settings

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset

__all__ = ["Answer", "Archive"]


#: Every event once, under its own hour; a query by date or hour reads the files of those, and the few that hold many hours.
_EVENTS = """
CREATE TEMP VIEW events AS
SELECT * FROM filed
UNION ALL
SELECT * REPLACE (strftime(occurred_at, '%Y-%m-%d') AS date, hour(occurred_at)::INTEGER AS hour) FROM scattered
"""


class Answer(msgspec.Struct, frozen=True):
    """A query's result: column names, and rows of as many Python values."""

    columns: Sequence[str]
    rows: Sequence[tuple[Any, ...]]


class Archive:
    """All archived events as the table ``events``. Raises Missing when there is no bucket, or the extra is not installed."""

    def __init__(self, clients: Clients, settings: Settings) -> None:
        self._clients = clients
        self._s3 = clients.s3
        self._settings = settings

    def query(self, sql: str) -> Answer:
        """Run one SQL statement in a database of its own that has only ``events``. Raises UserMistake when it is wrong."""
        duckdb = _extra("duckdb")
        with duckdb.connect() as connection:
            files = self.files()
            connection.register("filed", self.dataset([name for name in files if name.hour != SCATTERED]))
            connection.register("scattered", self.dataset([name for name in files if name.hour == SCATTERED]))
            connection.execute(_EVENTS)
            # the SQL may come from anybody whom the caller trusts with the events, and with nothing else
            connection.execute("SET enable_external_access = false")
            try:
                result = connection.execute(sql)
                return Answer([column[0] for column in result.description or ()], result.fetchall())
            except duckdb.Error as error:
                raise UserMistake(str(error).splitlines()[0], hint="`DESCRIBE events` shows the columns") from error

    def dataset(self, files: Sequence[Name] | None = None) -> Dataset:
        """The events as an Arrow dataset: ``parquet.SCHEMA``, and from the paths ``date`` (text) and ``hour`` (number).

        Scattered events have the date and hour of their file there; SQL sees their own.
        """
        dataset, fs = _extra("pyarrow.dataset"), _extra("pyarrow.fs")
        import pyarrow as pa

        from clickstream.consumers.archive.parquet import SCHEMA

        schema = SCHEMA.append(pa.field("date", pa.string())).append(pa.field("hour", pa.int32()))
        partitioning = dataset.partitioning(pa.schema([("date", pa.string()), ("hour", pa.int32())]), flavor="hive")
        bucket = ARCHIVE.of(self._settings)
        paths = [f"{bucket}/{name.key}" for name in (self.files() if files is None else files)]
        filesystem = fs.S3FileSystem(**self._connection())
        return dataset.dataset(paths, schema=schema, format="parquet", filesystem=filesystem, partitioning=partitioning)

    def files(self) -> list[Name]:
        """Which together hold every archived event once."""
        bucket = ARCHIVE.of(self._settings)
        with asked("S3", f"bucket {bucket}"):
            found = stored(self._s3, bucket)
        return sorted(found.keys() - covered(found))

    def _connection(self) -> dict[str, Any]:
        connection: dict[str, Any] = {"region": self._settings.region}
        endpoint = self._settings.endpoint("s3")
        if endpoint is not None:
            parts = urlsplit(endpoint)
            connection |= {"endpoint_override": parts.netloc, "scheme": parts.scheme}
        found = self._clients.credentials()
        if found is not None:
            connection |= dict(zip(("access_key", "secret_key", "session_token"), found, strict=True))
        return connection


def _extra(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Missing(f"{module} is not installed", hint="pip install 'clickstream[archive]'") from error
