"""The rows of short applications' tables as answers: cells merged over shards and parts. Pure, but for ``Answers``."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

import msgspec

from clickstream.answers.cells import Quantiles, Top
from clickstream.answers.declared import Application, Table
from clickstream.answers.effects import place, window
from clickstream.answers.needs import answers_table
from clickstream.aws import Clients
from clickstream.aws.items import query
from clickstream.errors import UserMistake
from clickstream.failures.outages import asked
from clickstream.progress.completeness import completeness
from clickstream.progress.shards_table import ShardProgress, ShardsTable
from clickstream.settings import Settings

#: One question reads at most so many windows, and so many stored rows.
MOST_WINDOWS, MOST_ROWS = 1_000, 50_000
Item = Mapping[str, Any]
"""As DynamoDB has it; ``clickstream.answers.sink`` writes it."""
T = TypeVar("T")


class Row(msgspec.Struct, frozen=True):
    """One key in one window of event time, over all shards. ``start`` and ``end``: ms; null in a table without windows."""

    start: int | None
    end: int | None
    key: str
    values: dict[str, Any]
    """By cell: a number or null, {quantile: number}, or [{key, count, most}]."""


def merged(table: Table, start_ms: int, items: Iterable[Item]) -> list[Row]:
    """One row per key, of one window. Raises UserMistake for what cells of other kinds have stored."""
    states: dict[str, dict[str, Any]] = {}
    for item in items:
        row = states.setdefault(place(item)[0], {name: cell.empty() for name, cell in table.cells.items()})
        for name, cell in table.cells.items():
            if (stored := item.get(name)) is not None:
                try:
                    state = cell.unpack(int(stored["N"]) if "N" in stored else msgspec.msgpack.decode(stored["B"]))
                except msgspec.MsgspecError as error:
                    hint = "the workers run another version of the application"
                    raise UserMistake(f"what {table.name} has stored as {name} is no {cell.kind}", hint) from error
                row[name] = cell.merge(row[name], state)
    start, end = (start_ms, start_ms + table.per) if table.per else (None, None)
    return [Row(start, end, key, {name: table.cells[name].read(row[name]) for name in row}) for key, row in states.items()]


def ordered(rows: Iterable[Row], cell: str | None) -> list[Row]:
    """The greatest values of the cell first; equals, and all without a cell, by window, newest first, and key."""
    found = sorted(rows, key=lambda row: (-(row.start or 0), row.key))
    if cell is None:
        return found
    return sorted(found, key=lambda row: (row.values[cell] is not None, row.values[cell] or 0), reverse=True)


class Answers:
    """Of these applications, by name. Raises RetryLater, Missing, and UserMistake for what is not declared."""

    def __init__(self, clients: Clients, settings: Settings, applications: Mapping[str, Application]) -> None:
        self._dynamodb = clients.dynamodb
        self._settings = settings
        self._shards = ShardsTable(clients, settings)
        self.applications = applications

    def table(self, application: str, name: str) -> Table:
        tables = _known("application", application, self.applications).tables
        return _known(f"table of {application}", name, tables)

    def complete_to(self, application: str, shards: Sequence[ShardProgress] | None = None) -> int | None:
        """Windows that end by then (ms of event time) are complete, but for what timers add later; None: not known.

        ``shards``: all rows of the shards table, if they have been read just before.
        """
        # all rows, as the other readers ask for them: the role of `serve` may scan, not query
        rows = self._shards.read() if shards is None else shards
        return completeness([row for row in rows if row.application == application]).complete_to

    def rows(
        self,
        application: str,
        name: str,
        start_ms: int,
        end_ms: int,
        *,
        key: str | None = None,
        order: str | None = None,
        limit: int = 100,
        most: int = MOST_ROWS,
    ) -> list[Row]:
        """At most ``limit`` rows, of one key or of all, in windows that overlap ``[start_ms, end_ms)``.

        Those with the greatest values of the cell ``order`` first; else by window, newest first, and in it by the first cell
        whose values are numbers. Raises UserMistake if more than ``most`` stored rows were to be read.
        """
        table = self.table(application, name)
        numbers = {cell: cell for cell, kind in table.cells.items() if not isinstance(kind, Quantiles | Top)}
        first = next(iter(numbers), None) if order is None else _known("cell with numbers", order, numbers)
        starts = range(start_ms // table.per * table.per, end_ms, table.per)[::-1] if table.per else range(1)
        if len(starts) > MOST_WINDOWS:
            raise UserMistake(f"more than {MOST_WINDOWS:,} windows in one question", hint="ask for a shorter time")
        rows: list[Row] = []
        for start in starts:
            items = list(islice(self.stored(application, table, start, key), most + 1))
            most -= len(items)
            if most < 0:
                raise UserMistake("too many rows to read at once", hint="ask for a shorter time, or for one key")
            rows += ordered(merged(table, start, items), first)
            if order is None and len(rows) >= limit:
                break
        return (rows if order is None else ordered(rows, order))[:limit]

    def stored(self, application: str, table: Table, start_ms: int, key: str | None = None) -> Iterator[Item]:
        """The rows of a window, or of a key in it, as the shards have written them."""
        name = answers_table(application, table.name).of(self._settings)
        wanted, condition = {"window": window(start_ms)}, "#window = :window"
        if key is not None:
            wanted, condition = {**wanted, "row": f"{key}#"}, f"{condition} AND begins_with(#row, :row)"
        with asked("DynamoDB", f"table {name}"):
            for page in self._dynamodb.get_paginator("query").paginate(**query(name, condition, wanted)):
                yield from (item for item in page["Items"] if key in (None, place(item)[0]))


def _known(what: str, name: str, known: Mapping[str, T]) -> T:
    if name not in known:
        raise UserMistake(f"no {what} is named {name}", hint=f"there is: {', '.join(known) or 'none'}")
    return known[name]
