"""What ministack's DynamoDB has acknowledged survives kill -9, as what the embedded Kinesis has does.

ministack itself writes its tables only when it is ended in order. Here each call's changes are part of one transaction in
SQLite, on the disk before the answer leaves; calls that arrive while the disk is busy share the next one.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

Table = dict[str, Any]
Change = tuple[str, str, str, str | None]

#: Calls that change items at most. Of the others, those that only tell begin with a word of _TELLING; the rest change tables.
_OF_ITEMS = frozenset(
    "PutItem DeleteItem UpdateItem BatchWriteItem TransactWriteItems BatchExecuteStatement"
    " GetItem BatchGetItem TransactGetItems Query Scan".split()
)
_TELLING = ("Describe", "List")


def keep(dynamodb: Any, persistence: Any, folder: Path) -> None:
    """Fill ``ministack.services.dynamodb`` with what the folder holds, and keep there whatever changes from now on.

    Raises SystemExit when another server uses the folder.
    """
    try:
        _Kept(dynamodb, persistence, folder)
    except sqlite3.OperationalError as error:
        raise SystemExit(f"cannot keep tables in {folder}: {error} (another server may use the folder)") from error


class _Kept:
    def __init__(self, dynamodb: Any, persistence: Any, folder: Path) -> None:
        self._dynamodb, self._persistence = dynamodb, persistence
        self._get_state, self._set, self._remove = dynamodb.get_state, dynamodb._set_item, dynamodb._remove_item
        self._replaced, self._handle = dynamodb._items_replaced, dynamodb.handle_request
        self._called: list[Change] = []
        """(table's ARN, key, sort key, item or None), in order, of the call at hand; an empty key: all items of the table."""
        self._changed: list[Change] = []
        """The same of calls that are over: a transaction is on the disk whole, or not at all."""
        self._tables: str | None = None
        """All tables without their items, when that has changed."""
        self._arns: set[str] = set()
        self._noting, self._writing = threading.Lock(), threading.Lock()
        self._noted = self._written = 0
        self._failed: sqlite3.Error | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(folder / "dynamodb.sqlite", timeout=1, isolation_level=None, check_same_thread=False)
        for line in ("PRAGMA locking_mode=EXCLUSIVE", "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "BEGIN IMMEDIATE"):
            self._database.execute(line)
        self._database.execute("CREATE TABLE IF NOT EXISTS state (tables TEXT)")
        key = "PRIMARY KEY (arn, key, sort)"
        self._database.execute(f"CREATE TABLE IF NOT EXISTS items (arn, key, sort, item, {key}) WITHOUT ROWID")
        self._database.execute("COMMIT")
        self._restore()
        dynamodb._set_item, dynamodb._remove_item, dynamodb._items_replaced = self.set, self.remove, self.replaced
        dynamodb.handle_request = self.handle
        # ministack's own way to keep them, at its orderly end: not needed, and older than ours after a kill
        dynamodb.load_persisted_state, dynamodb.get_state = (lambda _: None), (lambda: self._write(self._over()))

    def set(self, table: Table, key: str, sort: str, item: dict[str, Any]) -> Any:
        old = self._set(table, key, sort, item)
        self._note(table, key, sort, json.dumps(item))
        return old

    def remove(self, table: Table, key: str, sort: str) -> Any:
        old = self._remove(table, key, sort)
        self._note(table, key, sort, None)
        return old

    def replaced(self, table: Table) -> None:
        """All items at once, after a transaction that was taken back."""
        self._replaced(table)
        self._note_all(table)

    async def handle(self, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Any:
        answer = await self._handle(method, path, headers, body, query)
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        if answer[0] == 200 and action not in _OF_ITEMS and not action.startswith(_TELLING):
            self._note_tables()
        noted = self._over()
        if self._written < noted:
            await asyncio.to_thread(self._write, noted)
        return answer

    def _over(self) -> int:
        """A call is over; how many changes there are now."""
        with self._noting:
            self._changed += self._called
            self._noted += len(self._called)
            self._called = []
            return self._noted

    def _note(self, table: Table, key: str, sort: str, item: str | None) -> None:
        with self._noting:
            self._called.append((table["TableArn"], key, sort, item))

    def _note_all(self, table: Table) -> None:
        self._note(table, "", "", None)
        for key, sorted_items in table["items"].items():
            for sort, item in sorted_items.items():
                self._note(table, key, sort, json.dumps(item))

    def _note_tables(self) -> None:
        state = self._get_state()
        before, self._arns = self._arns, set()
        for table in state["tables"].all_values():
            table["items"] = {}
            self._arns.add(table["TableArn"])
        tables = json.dumps(state, default=self._persistence._json_default)
        with self._noting:
            self._called += ((gone, "", "", None) for gone in before - self._arns)
            self._tables = tables
            self._noted += 1

    def _write(self, noted: int) -> None:
        """Return once the first ``noted`` changes are on the disk. sqlite3.Error: they are not, and no later change will be."""
        with self._writing:
            if self._failed is not None:
                raise self._failed
            if self._written >= noted:
                return  # with those of the call that came before
            with self._noting:
                changed, tables, until = self._changed, self._tables, self._noted
                self._changed, self._tables = [], None
            try:
                self._commit(changed, tables)
            except sqlite3.Error as error:
                sys.stderr.write(f"cannot keep tables: {error}; stopping\n")
                os.kill(os.getpid(), signal.SIGTERM)
                self._failed = error
                raise
            self._written = until

    def _commit(self, changed: list[Change], tables: str | None) -> None:
        self._database.execute("BEGIN")
        for arn, key, sort, item in changed:
            if item is not None:
                self._database.execute("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?)", (arn, key, sort, item))
            elif key:
                self._database.execute("DELETE FROM items WHERE arn = ? AND key = ? AND sort = ?", (arn, key, sort))
            else:
                self._database.execute("DELETE FROM items WHERE arn = ?", (arn,))
        if tables is not None:
            self._database.execute("DELETE FROM state")
            self._database.execute("INSERT INTO state VALUES (?)", (tables,))
        self._database.execute("COMMIT")

    def _restore(self) -> None:
        row = self._database.execute("SELECT tables FROM state").fetchone()
        if row is None:
            self._take_over()
            return
        state = json.loads(row[0], object_hook=self._persistence._json_object_hook)
        tables = {table["TableArn"]: table for table in state["tables"].all_values()}
        self._arns = set(tables)
        for table in tables.values():
            table["items"] = defaultdict(dict)
        for arn, key, sort, item in self._database.execute("SELECT arn, key, sort, item FROM items"):
            if arn in tables:
                tables[arn]["items"][key][sort] = json.loads(item)
        self._dynamodb.load_persisted_state(state)
        for table in tables.values():
            self._replaced(table)

    def _take_over(self) -> None:
        """What an earlier version of ours left to ministack."""
        state = self._persistence.load_state("dynamodb")
        if state:
            self._dynamodb.load_persisted_state(state)
            self._note_tables()
            for table in self._dynamodb._tables.all_values():
                self._note_all(table)
            self._write(self._over())
