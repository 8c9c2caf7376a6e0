"""What the fold of a short application gives out, for its sink. Plain values, encoded already."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Row(NamedTuple):
    """The absolute value of one key in one window of one shard; a reader merges those of all shards and parts."""

    table: str
    start_ms: int
    """The window's start; 0 for a table without windows."""
    late: int
    """0, or the number of the part of the window that this is; see ``clickstream.answers.fold``."""
    key: str
    cells: dict[str, Any]
    """Name of the cell → its state, packed: see ``cells.Packed``."""

    def item_key(self, shard_id: str) -> dict[str, str]:
        """Of the row that this shard writes; ``place`` is the inverse."""
        return {"window": window(self.start_ms), "row": f"{self.key}#{shard_id}#{self.late}"}


def identity(messages: str, id: str) -> str:
    """Of a message, in the outbox."""
    return f"{messages}#{id}"


def window(start_ms: int) -> str:
    return f"{start_ms:014d}"


def place(item: Mapping[str, Any]) -> tuple[str, str]:
    """(key, shard) of a row as DynamoDB has it; a key may hold the mark between them."""
    key, shard, _ = item["row"]["S"].rsplit("#", 2)
    return key, shard


class Message(NamedTuple):
    messages: str
    id: str
    """Its identity: one message is sent for it, ever."""
    body: bytes
    """JSON."""


class Line(NamedTuple):
    files: str
    at_ms: int
    """Event time."""
    line: bytes
    """One JSON object, without a newline."""
    ordinal: int
    """Its number among the shard's lines of these files, from 0: the same in every replay."""


Effect = Row | Message | Line
