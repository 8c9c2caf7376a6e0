"""The rows of a shard's tables: which part of a window takes an addition, and when a row leaves memory. Pure.

A window takes additions into the part ``base``, which is 0 at first, until the watermark is ``lateness`` past its end; later
ones go into the part of the *turn*, a quarter of an hour of the watermark. With more than ``most_rows`` rows at once all parts
are closed: a turn begins, and its number becomes the ``base``. So each part has an end after which it is never touched again,
and which part takes an addition follows from the order of the events alone. A reader merges the parts.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from clickstream.answers.declared import MINUTE, Addition, Table
from clickstream.answers.effects import Row
from clickstream.answers.users import NEVER, WrongAnswer
from clickstream.events import MOST_KEY_BYTES, key_faults

TURN = 15 * MINUTE
#: Of one shard in memory. One with a sketch of very many users takes 5 kB.
MOST_ROWS = 100_000

Place = tuple[str, int, int, str]
"""(table, its window's start, part, key) of a row."""
Shape = dict[str, tuple[int, dict[str, str]]]
"""Table → length of its windows, and its cells' kinds by name."""


class Rows:
    def __init__(self, tables: dict[str, Table], lateness: int, most_rows: int) -> None:
        self._tables, self._lateness, self._most_rows = tables, lateness, most_rows
        self._adding = {
            name: (each.per or NEVER, {cell: of.add for cell, of in each.cells.items()}) for name, each in tables.items()
        }
        self.shape: Shape = {
            name: (each.per, {cell: of.kind for cell, of in each.cells.items()}) for name, each in tables.items()
        }
        self._rows: dict[Place, dict[str, Any]] = {}
        """Of all rows that are not closed, the states of the cells."""
        self._touched: dict[Place, dict[str, Any]] = {}
        """Those of them that are to be packed."""
        self._unsaved: dict[Place, Row] = {}
        self._ungiven: dict[Place, Row] = {}
        self.turn = self.base = self.turn_ends = 0
        self.begin_turn(0)

    def add(self, addition: Addition, at_ms: int, watermark: int) -> None:
        table, key, values = addition
        try:
            per, add = self._adding[table]
            start = at_ms - at_ms % per
            place = (table, start, self.base if watermark < start + per + self._lateness else self.turn, key)
            row = self._touched.get(place)
            if row is None:
                row = self._touch(place)
            for name, value in values.items():
                row[name] = add[name](row[name], value)
        except (KeyError, TypeError) as error:
            raise self._explained(addition, error) from error

    def _explained(self, addition: Addition, error: Exception) -> Exception:
        if isinstance(error, WrongAnswer):
            return error
        if (table := self._tables.get(addition.table)) is None:
            return WrongAnswer(f"the application has no table {addition.table!r}: name it among its answers")
        if isinstance(error, KeyError) and (unknown := [name for name in addition.values if name not in table.cells]):
            return WrongAnswer(f"table {table.name!r} has no cell {unknown[0]!r}; it has {', '.join(table.cells)}")
        return WrongAnswer(f"table {table.name!r}: {error}")

    def _touch(self, place: Place) -> dict[str, Any]:
        row = self._rows.get(place)
        if row is None:
            table, start, _, key = place
            must_be_key(key, "a row's key")
            if len(self._rows) >= self._most_rows:
                self.close()
                place = (table, start, self.turn, key)
            row = self._rows[place] = {name: cell.empty() for name, cell in self._tables[table].cells.items()}
        self._touched[place] = row
        return row

    def close(self) -> None:
        """No row of so far takes any more additions."""
        self._settle()
        self._rows = {}
        self.turn = self.base = self.turn + 1

    def begin_turn(self, watermark: int) -> None:
        """Drop the rows that are closed; for a watermark that has come to ``turn_ends``, and after a restart."""
        self._settle()
        quarters = watermark // TURN
        self.turn_ends = (quarters + 1) * TURN
        self.turn = max(self.turn, quarters + 1)
        began = quarters * TURN - self._lateness
        self._rows = {
            (table, start, part, key): row
            for (table, start, part, key), row in self._rows.items()
            if part == self.turn or (part == self.base and began < start + self._adding[table][0])
        }

    def _settle(self) -> None:
        """Pack what was touched."""
        packed = {place: self._packed(place, row) for place, row in self._touched.items()}
        self._touched = {}
        self._unsaved |= packed
        self._ungiven |= packed

    def _packed(self, place: Place, row: dict[str, Any]) -> Row:
        return Row(*place, {name: cell.pack(row[name]) for name, cell in self._tables[place[0]].cells.items()})

    def given(self) -> list[Row]:
        """The rows that changed since this was asked before."""
        self._settle()
        ungiven, self._ungiven = self._ungiven, {}
        return [*ungiven.values()]

    def changes(self) -> list[Row]:
        self._settle()
        unsaved, self._unsaved = self._unsaved, {}
        return [*unsaved.values()]

    def snapshot(self) -> list[Row]:
        self.changes()
        return [self._packed(place, self._rows[place]) for place in sorted(self._rows)]

    def restore(self, rows: Iterable[Row]) -> None:
        for table, start, part, key, known in rows:
            if table in self._tables:
                self._rows[table, start, part, key] = {
                    name: cell.unpack(known[name]) if name in known else cell.empty()
                    for name, cell in self._tables[table].cells.items()
                }

    def has_more_than(self, stored: Shape) -> bool:
        """Whether a table or a cell is new, or comes back: an earlier version's values of it are in the store alone."""
        return any(name not in stored or cells.keys() - stored[name][1].keys() for name, (_, cells) in self.shape.items())

    def must_fit(self, stored: Shape) -> None:
        """Raises msgspec.MsgspecError when another version's rows mean something else."""
        for name in stored.keys() & self.shape.keys():
            (per, was), (now_per, now) = stored[name], self.shape[name]
            if per != now_per:
                raise msgspec.ValidationError(f"table {name!r} had windows of {per} ms: give it another name")
            for cell in was.keys() & now.keys():
                if was[cell] != now[cell]:
                    raise msgspec.ValidationError(f"table {name!r}: {cell} was {was[cell]}: give it another name")


def must_be_key(key: object, what: str) -> None:
    if type(key) is not str or not key or next(key_faults(key), None):
        raise WrongAnswer(f"{what} is a str of 1 to {MOST_KEY_BYTES} bytes without control characters, not {key!r:.100}")
