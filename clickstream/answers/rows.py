"""The rows of a shard's tables: which part of a window takes an addition, and when a row leaves memory. Pure.

A window takes additions into the part ``base``, which is 0 at first, until the watermark is ``lateness`` past its end; later
ones go into the part of the *turn*, a quarter of an hour of the watermark. With more than ``most_rows`` rows at once all parts
are closed: a turn begins, and its number becomes the ``base``. So each part has an end after which it is never touched again,
and which part takes an addition follows from the order of the events alone. A reader merges the parts.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from clickstream.answers.cells import Cell, Packed
from clickstream.answers.declared import MINUTE, Addition, Table
from clickstream.answers.effects import Row
from clickstream.answers.users import NEVER, WrongAnswer
from clickstream.events import MOST_KEY_BYTES, key_faults

TURN = 15 * MINUTE
#: Of one shard in memory. One with a sketch of very many users takes 5 kB.
MOST_ROWS = 100_000

WindowId = tuple[str, int, int]
"""(table, start, part)."""
PackedRows = dict[str, dict[str, Packed]]
"""Of one window: key → the cells' states by name, packed."""
Shape = dict[str, tuple[int, dict[str, str]]]
"""Table → length of its windows, and its cells' kinds by name."""


class _Window:
    """The window of a table that the last addition went to, with those of its rows that are to be packed."""

    __slots__ = ("add", "end", "id", "per", "start", "touched", "until")

    def __init__(self, table: Table) -> None:
        self.per = table.per or NEVER
        self.add = {name: cell.add for name, cell in table.cells.items()}
        self.start = self.end = self.until = 0
        self.id: WindowId = (table.name, 0, 0)
        self.touched: dict[str, dict[str, Any]] = {}


class Rows:
    def __init__(self, tables: dict[str, Table], lateness: int, most_rows: int) -> None:
        self._tables = tables
        self._lateness = lateness
        self._most_rows = most_rows
        self.turn = self.base = self.turn_ends = 0
        self._windows = {name: _Window(table) for name, table in tables.items()}
        self._rows: dict[WindowId, dict[str, dict[str, Any]]] = {}
        """Of all rows that are not closed, the states of the cells."""
        self._count = 0
        self._touched: dict[WindowId, dict[str, dict[str, Any]]] = {}
        self._unsaved: dict[WindowId, PackedRows] = {}
        self._ungiven: dict[WindowId, PackedRows] = {}
        self.shape: Shape = {
            name: (table.per, {each: cell.kind for each, cell in table.cells.items()}) for name, table in tables.items()
        }
        self.begin_turn(0)

    def add(self, addition: Addition, at_ms: int, watermark: int) -> None:
        table, key, values = addition
        try:
            window = self._windows[table]
            if at_ms >= window.end or at_ms < window.start or watermark >= window.until:
                self._enter(window, at_ms, watermark)
            row = window.touched.get(key)
            if row is None:
                row = self._touch(window, key, watermark)
            add = window.add
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

    def _enter(self, window: _Window, at_ms: int, watermark: int) -> None:
        start = at_ms - at_ms % window.per
        window.start, window.end = start, start + window.per
        in_time = watermark < window.end + self._lateness
        window.until = window.end + self._lateness if in_time else NEVER
        window.id = (window.id[0], start, self.base if in_time else self.turn)
        window.touched = self._touched.setdefault(window.id, {})

    def _touch(self, window: _Window, key: str, watermark: int) -> dict[str, Any]:
        rows = self._rows.setdefault(window.id, {})
        row = rows.get(key)
        if row is None:
            must_be_key(key, "a row's key")
            if self._count >= self._most_rows:
                self.close()
                self._enter(window, window.id[1], watermark)
                rows = self._rows.setdefault(window.id, {})
            self._count += 1
            row = rows[key] = {name: cell.empty() for name, cell in self._tables[window.id[0]].cells.items()}
        window.touched[key] = row
        return row

    def close(self) -> None:
        """No row of so far takes any more additions."""
        self._settle()
        self._rows, self._count = {}, 0
        self.turn = self.base = self.turn + 1

    def begin_turn(self, watermark: int) -> None:
        """Drop the rows that are closed; for a watermark that has come to ``turn_ends``, and after a restart."""
        self._settle()
        quarters = watermark // TURN
        self.turn_ends = (quarters + 1) * TURN
        self.turn = max(self.turn, quarters + 1)
        began = quarters * TURN - self._lateness
        for window in list(self._rows):
            table, start, part = window
            if part != self.turn and (part != self.base or began >= start + self._windows[table].per):
                del self._rows[window]
        self._count = sum(map(len, self._rows.values()))

    def _settle(self) -> None:
        """Pack what was touched."""
        touched, self._touched = self._touched, {}
        for window in self._windows.values():
            window.start = window.end = 0
        for window_id, rows in touched.items():
            packed = self._packed(window_id[0], rows)
            self._unsaved.setdefault(window_id, {}).update(packed)
            self._ungiven.setdefault(window_id, {}).update(packed)

    def _packed(self, table: str, rows: dict[str, dict[str, Any]]) -> PackedRows:
        """The rows' cells by name, packed."""
        packed = {key: row.copy() for key, row in rows.items()}
        for name, cell in self._tables[table].cells.items():
            if type(cell).pack is not Cell.pack:
                for cells in packed.values():
                    cells[name] = cell.pack(cells[name])
        return packed

    def given(self) -> list[Row]:
        """The rows that changed since this was asked before."""
        self._settle()
        ungiven, self._ungiven = self._ungiven, {}
        return [Row(*window, key, cells) for window, rows in ungiven.items() for key, cells in rows.items()]

    def changes(self) -> list[tuple[WindowId, PackedRows]]:
        self._settle()
        unsaved, self._unsaved = self._unsaved, {}
        return list(unsaved.items())

    def snapshot(self) -> list[tuple[WindowId, PackedRows]]:
        self.changes()
        return [(window, self._packed(window[0], dict(sorted(rows.items())))) for window, rows in sorted(self._rows.items())]

    def restore(self, rows: Iterable[tuple[WindowId, PackedRows]]) -> None:
        for window, packed in rows:
            if (table := self._tables.get(window[0])) is not None:
                mine = self._rows.setdefault(window, {})
                for key, known in packed.items():
                    mine[key] = {n: c.unpack(known[n]) if n in known else c.empty() for n, c in table.cells.items()}

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
