"""The page Own answers: the tables of all applications that are declared by their answers, the newest windows first."""

from collections.abc import Iterator
from itertools import chain, islice

import msgspec

from clickstream.answers.declared import Table
from clickstream.answers.reading import Answer, Answers, ordered
from clickstream.errors import Missing, UserMistake
from clickstream.progress.completeness import completeness
from clickstream.serving.api.own import OwnRow, own_row
from clickstream.serving.pages.picture import Draw, Head
from clickstream.serving.progress import Reading

#: Of a table: windows that have rows, found among so many, and rows of each.
WINDOWS = 3
AMONG = 24
ROWS = 10
#: They are read again for each picture: a window of more is asked for by name.
MOST_READ = 5_000


class OwnTable(msgspec.Struct, frozen=True, kw_only=True):
    application: str
    table: str
    per: int
    """The length of its windows in ms; 0 without windows."""
    cells: list[str]
    read_to: int | None
    """The latest event time that its application has seen; None: no worker has begun."""
    complete_to: int | None
    rows: list[OwnRow]
    """By window, newest first; within one, by the first cell with a number, greatest first."""
    problem: str = ""
    """Why there are none."""


class Shown(msgspec.Struct, frozen=True):
    head: Head
    tables: list[OwnTable] | None = None
    """None: not read yet."""


class Own:
    """See ``clickstream.serving.pages.picture.Picture``."""

    blank = Shown

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def read(self, seen: Reading) -> Draw:
        tables = [self._table(name, t, seen) for name, one in self._answers.applications.items() for t in one.tables.values()]
        return lambda head: Shown(head, tables)

    def _table(self, application: str, table: Table, seen: Reading) -> OwnTable:
        shards = [row for row in seen.rows if row.application == application]
        read_to = max((row.watermark_ms for row in shards), default=0)
        complete_to = completeness(shards).complete_to
        rows: list[OwnRow] = []
        problem = ""
        try:
            windows = islice(filter(None, self._windows(application, table, read_to)), WINDOWS)
            rows = [own_row(table, each, complete_to) for each in chain.from_iterable(windows)]
        except (Missing, UserMistake) as error:
            problem = str(error)
        return OwnTable(
            application=application,
            table=table.name,
            per=table.per,
            cells=list(table.cells),
            read_to=read_to or None,
            complete_to=complete_to,
            rows=rows,
            problem=problem,
        )

    def _windows(self, application: str, table: Table, read_to: int) -> Iterator[list[Answer]]:
        """The leading rows of one window after the other, newest first."""
        for back in range(AMONG if table.per else 1):
            at = read_to - back * table.per
            if at <= 0:
                return
            found = self._answers.rows(application, table.name, at, at + 1, limit=MOST_READ, most=MOST_READ)
            yield _leading(table, found)


def _leading(table: Table, rows: list[Answer]) -> list[Answer]:
    """By the first cell whose values are numbers, if there is one."""
    numbers = (name for name in table.cells if all(isinstance(each.values[name], int | float | None) for each in rows))
    cell = next(numbers, None)
    return (rows if cell is None else ordered(rows, cell))[:ROWS]
