"""The rows of a short application's tables as answers: cells merged over shards and parts. Pure, but for ``Answers``."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from clickstream.answers.declared import Application, Table
from clickstream.answers.needs import answers_table
from clickstream.aws import Clients
from clickstream.aws.items import query
from clickstream.errors import UserMistake
from clickstream.failures.outages import asked
from clickstream.progress.completeness import completeness
from clickstream.progress.shards_table import ShardsTable
from clickstream.settings import Settings

Item = Mapping[str, Any]
"""As DynamoDB has it: ``window``, ``row``, ``position`` and one attribute per cell."""

#: One question reads at most so many windows, and so many stored rows.
MOST_WINDOWS = 1_000
MOST_ROWS = 50_000


class Answer(NamedTuple):
    """One key in one window, over all shards and parts."""

    start_ms: int
    """0 in a table without windows."""
    key: str
    values: dict[str, Any]
    """By cell, as its ``read`` says."""


def place(item: Item) -> tuple[str, str]:
    """(key, shard) of a stored row; a key may hold the mark between them."""
    key, shard, _ = item["row"]["S"].rsplit("#", 2)
    return key, shard


def merged(table: Table, items: Iterable[Item]) -> list[Answer]:
    """One answer per window and key, in the order of their first items; cells that are no longer declared are left out."""
    states: dict[tuple[int, str], dict[str, Any]] = {}
    for item in items:
        row = states.setdefault((int(item["window"]["S"]), place(item)[0]), {})
        for name, cell in table.cells.items():
            if name in item:
                row[name] = cell.merge(row.get(name, cell.empty()), _state(table, name, item[name]))
    return [
        Answer(start, key, {name: cell.read(row.get(name, cell.empty())) for name, cell in table.cells.items()})
        for (start, key), row in states.items()
    ]


def _state(table: Table, name: str, attribute: Mapping[str, Any]) -> Any:
    try:
        return table.cells[name].unpack(int(attribute["N"]) if "N" in attribute else msgspec.msgpack.decode(attribute["B"]))
    except (msgspec.MsgspecError, KeyError) as error:
        raise UserMistake(
            f"what is stored as {name} in {table.name} is no {table.cells[name].kind}",
            hint="the workers run another version of the application: ask with that one, or give the new cell a new name",
        ) from error


def windows(table: Table, start_ms: int, end_ms: int) -> range:
    """The starts of the windows that overlap ``[start_ms, end_ms)``, newest first. Raises UserMistake for too many."""
    if not table.per:
        return range(1)
    found = range(start_ms // table.per * table.per, end_ms, table.per)[::-1]
    if len(found) > MOST_WINDOWS:
        raise UserMistake(f"more than {MOST_WINDOWS:,} windows in one question", hint="ask for a shorter time")
    return found


def ordered(answers: Iterable[Answer], cell: str) -> list[Answer]:
    """By this cell's value, greatest first; equals by window, newest first, and key. Raises UserMistake if it is no number."""
    found = sorted(answers, key=lambda each: (-each.start_ms, each.key))
    if any(not isinstance(each.values[cell], int | float | None) for each in found):
        raise UserMistake(f"the values of {cell} have no order", hint="order by a cell whose value is a number")
    return sorted(found, key=lambda each: (each.values[cell] is not None, each.values[cell] or 0), reverse=True)


class Answers:
    """The rows of these applications, by name. Raises RetryLater, Missing, and UserMistake for what is not declared."""

    def __init__(self, clients: Clients, settings: Settings, applications: Mapping[str, Application]) -> None:
        self._dynamodb = clients.dynamodb
        self._settings = settings
        self._shards = ShardsTable(clients, settings)
        self.applications = applications

    def table(self, application: str, name: str) -> Table:
        if application not in self.applications:
            raise _unknown(f"application {application}", self.applications)
        tables = self.applications[application].tables
        if name not in tables:
            raise _unknown(f"table {name} in {application}", tables)
        return tables[name]

    def complete_to(self, application: str) -> int | None:
        """Event time (ms): windows that end by then are complete, but for what timers add later; None while not known."""
        # all rows, as the other readers ask for them: the dashboard's role may scan
        return completeness([row for row in self._shards.read() if row.application == application]).complete_to

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
    ) -> list[Answer]:
        """At most ``limit`` rows of the windows that overlap ``[start_ms, end_ms)``, each with every write before it.

        Newest window first, then by key; or with the greatest values of the cell ``order`` first. ``key`` asks for its rows
        alone. Raises UserMistake if more than ``most`` stored rows would have to be read.
        """
        table = self.table(application, name)
        if order is not None and order not in table.cells:
            raise _unknown(f"cell {order} in {name}", table.cells)
        found = self._by_window(application, table, windows(table, start_ms, end_ms), key, most)
        # without an order, older windows need not be read once there are enough
        return ordered(found, order)[:limit] if order is not None else list(islice(found, limit))

    def _by_window(self, application: str, table: Table, starts: range, key: str | None, most: int) -> Iterator[Answer]:
        read = 0
        for start in starts:
            items = []
            for each in self.stored(application, table, start, key):
                items.append(each)
                read += 1
                if read > most:
                    raise UserMistake(f"more than {most:,} rows to read", hint="ask for a shorter time, or for one key")
            yield from sorted(merged(table, items), key=lambda answer: answer.key)

    def stored(self, application: str, table: Table, start_ms: int, key: str | None = None) -> Iterator[Item]:
        """The rows of a window, or of a key in it, as the shards have written them."""
        name = answers_table(application, table.name).of(self._settings)
        wanted, condition = {"window": f"{start_ms:014d}"}, "#window = :window"
        if key is not None:
            wanted, condition = {**wanted, "row": f"{key}#"}, f"{condition} AND begins_with(#row, :row)"
        with asked("DynamoDB", f"table {name}"):
            for page in self._dynamodb.get_paginator("query").paginate(**query(name, condition, wanted)):
                yield from (item for item in page["Items"] if key in (None, place(item)[0]))


def _unknown(what: str, known: Iterable[str]) -> UserMistake:
    return UserMistake(f"no {what}", hint=f"there is: {', '.join(known) or 'none'}")
