"""The read model: SQL over the archive, by DuckDB, with the files that a reader must look at and no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from itertools import chain, count
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from clickstream.aws import Clients
from clickstream.consumers.archive.fold import SCATTERED
from clickstream.consumers.archive.names import Name, covered, stored
from clickstream.consumers.archive.needs import ARCHIVE
from clickstream.errors import InvalidEvent, Missing, Rejected, UserMistake
from clickstream.events import EVENT_TYPES, Event, decode, encode
from clickstream.failures.outages import asked
from clickstream.settings import Settings

if TYPE_CHECKING:
    from pyarrow import RecordBatchReader
    from pyarrow.dataset import Dataset

    from clickstream.consumers.archive.columns import Columns, Own

__all__ = ["Answer", "Archive", "Result"]

#: Rows that are held at a time where a result is not answered as a whole.
_BATCH = 10_000


#: Every event once, under its own hour; a query by date or hour reads the files of those, and the few that hold many hours.
_EVENTS = """
CREATE TEMP VIEW events AS
SELECT * FROM filed
UNION ALL
SELECT * REPLACE (strftime(occurred_at, '%Y-%m-%d') AS date, hour(occurred_at)::INTEGER AS hour) FROM scattered;
CREATE SCHEMA own;
"""


class Answer(msgspec.Struct, frozen=True):
    """A query's result: column names, and rows of as many Python values."""

    columns: Sequence[str]
    rows: Sequence[tuple[Any, ...]]


class Result:
    """A query that is bound, and runs when its result is read. Raises UserMistake for a statement without an answer."""

    def __init__(self, connection: Any, sql: str, made: Columns) -> None:
        self._connection, self._sql, self._made = connection, sql, made
        self._relation = connection.sql(sql)
        if self._relation is None:
            raise UserMistake("no statement with an answer", hint='for example "SELECT count(*) FROM events"')
        self.columns = _distinct(self._relation.columns)
        events = connection.sql("SELECT * FROM events LIMIT 0")
        kinds = {name: str(kind) for name, kind in zip(events.columns, events.types, strict=True)}
        mine = {name: str(kind) for name, kind in zip(self.columns, self._relation.types, strict=True)}
        self.is_of_events = all(mine.get(name) == kinds[name] for name in made.schema.names)
        """Whether a row has every column of ``events`` as it is there, and so a whole event."""
        self.beyond = [name for name in self.columns if name not in kinds]
        """The columns that no event has."""

    def rows(self) -> Iterator[tuple[Any, ...]]:
        if any("INTERVAL" in str(kind) for kind in self._relation.types):  # as timedelta a month would be 30 days
            for batch in self.batches():
                for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    yield tuple(map(_with_intervals, row))
            return
        running = self._connection.execute(self._sql)  # a relation would be read as a whole
        while batch := running.fetchmany(_BATCH):
            yield from batch

    def dicts(self) -> Iterator[Mapping[str, Any]]:
        return (dict(zip(self.columns, row, strict=True)) for row in self.rows())

    def batches(self) -> RecordBatchReader:
        made: RecordBatchReader = self._relation.to_arrow_reader(_BATCH)
        return made

    def events(self) -> Iterator[tuple[bytes, Rejected | None]]:
        """Each event's JSON as it was archived, or what is there of it and why that is no event here."""
        for row in self.dicts():
            if row["occurred_at"] is None:
                yield b"{}", InvalidEvent("a row without an event, of a join perhaps")
                continue
            line = self._made.event(row)
            try:
                yield encode(decode(line)), None
            except Rejected as error:
                yield line, error


class Archive:
    """All archived events as the table ``events``, those of a type with own properties as ``own.TYPE`` as well.

    Raises Missing when there is no bucket, or the extra is not installed.
    """

    def __init__(self, clients: Clients, settings: Settings, types: Sequence[type[Event]] = EVENT_TYPES) -> None:
        self._clients, self._settings, self._types = clients, settings, types
        self._bucket = ARCHIVE.of(settings)

    def query(self, sql: str) -> Answer:
        """Run one SQL statement in a database of its own that has only the archive. Raises UserMistake when it is wrong."""
        with self.asked(sql) as result:
            return Answer(result.columns, [*result.rows()])

    @contextmanager
    def asked(self, sql: str) -> Iterator[Result]:
        """The same, to be read while it lasts."""
        duckdb = _extra("duckdb")
        with duckdb.connect() as connection:
            files = self.files()
            connection.register("filed", self.dataset([name for name in files if name.hour != SCATTERED]))
            connection.register("scattered", self.dataset([name for name in files if name.hour == SCATTERED]))
            made = self._columns()
            connection.execute(_EVENTS + "".join(_view(name, each) for name, each in made.own.items()))
            # the SQL may come from anybody whom the caller trusts with the events, and with nothing else
            connection.execute("SET enable_external_access = false")
            try:
                yield Result(connection, sql, made)
            except duckdb.Error as error:
                tables = ", ".join(["events", *(f"own.{name}" for name in made.own)])
                raise UserMistake(str(error).splitlines()[0], hint=f"there is {tables}; DESCRIBE shows the columns") from error

    def dataset(self, files: Sequence[Name] | None = None) -> Dataset:
        """The events as an Arrow dataset: ``columns.SCHEMA``, and from the paths ``date`` (text) and ``hour`` (number).

        Scattered events have the date and hour of their file there; SQL sees their own.
        """
        dataset, fs = _extra("pyarrow.dataset"), _extra("pyarrow.fs")
        import pyarrow as pa

        by = pa.schema([("date", pa.string()), ("hour", pa.int32())])
        schema = pa.schema([*self._columns().schema, *by])
        partitioning = dataset.partitioning(by, flavor="hive")
        paths = [f"{self._bucket}/{name.key}" for name in (self.files() if files is None else files)]
        filesystem = fs.S3FileSystem(**self._connection())
        return dataset.dataset(paths, schema=schema, format="parquet", filesystem=filesystem, partitioning=partitioning)

    def files(self) -> list[Name]:
        """Which together hold every archived event once."""
        with asked("S3", f"bucket {self._bucket}"):
            found = stored(self._clients.s3, self._bucket)
        return sorted(found.keys() - covered(found))

    def _columns(self) -> Columns:
        made: Columns = _extra("clickstream.consumers.archive.columns").Columns(self._types)
        return made

    def _connection(self) -> dict[str, Any]:
        connection: dict[str, Any] = {"region": self._settings.region}
        if (endpoint := self._settings.endpoint("s3")) is not None:
            parts = urlsplit(endpoint)
            connection |= {"endpoint_override": parts.netloc, "scheme": parts.scheme}
        if (found := self._clients.credentials()) is not None:
            connection |= dict(zip(("access_key", "secret_key", "session_token"), found, strict=True))
        return connection


def _distinct(columns: Sequence[str]) -> list[str]:
    """Two columns of one name are two columns, called as DuckDB itself calls them in a table."""
    called: list[str] = []
    for name in columns:
        called.append(next(each for each in chain([name], (f"{name}_{n}" for n in count(1))) if each not in called))
    return called


def _with_intervals(value: Any) -> Any:
    """The same with each of Arrow's intervals as ISO 8601 has it (``P14M3DT2.5S``), at any depth."""
    if isinstance(value, list):
        return [_with_intervals(each) for each in value]
    if isinstance(value, dict):
        return {name: _with_intervals(each) for name, each in value.items()}
    if type(value).__name__ != "MonthDayNano":
        return value
    date = "".join(f"{number}{unit}" for number, unit in ((value.months, "M"), (value.days, "D")) if number)
    seconds = Decimal(value.nanoseconds).scaleb(-9).normalize()
    return f"P{date}T{seconds:f}S" if seconds or not date else f"P{date}"


def _view(name: str, own: Own) -> str:
    """The own properties before the archive's columns, so that none of these takes their names."""
    columns = [*own.shared[1:], *([f"{own.column}.*"] if own.kinds else []), "ordinal", "date", "hour"]
    return f"CREATE VIEW own.{name} AS SELECT {', '.join(columns)} FROM events WHERE type = '{name}';\n"


def _extra(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Missing(f"{error.name} is not installed", hint="pip install 'clickstream[archive]'") from error
