"""What the fold of a short application gives out, for its sink. Plain values, encoded already."""

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
