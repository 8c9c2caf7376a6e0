"""Files as events, lazily: NDJSON and the Taobao format.

A line that is no event does not end the reading: it comes out as a :class:`Fault` in its place, with its number and the path
of what is wrong. A last line without a newline that does not parse is a *cut tail* (a copy that ended early): reported, but
no fault of the file's author, so it does not turn a replay's exit code to 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

import msgspec

from clickstream import events
from clickstream.errors import InvalidEvent, Rejected
from clickstream.events import AnyEvent
from clickstream.load.driving.pace import now_ms
from clickstream.load.replay.taobao import TaobaoParser
from clickstream.producers.lines import numbered

COMPLETE = "replay compares by id: give event_id and occurred_at, or use `clickstream produce`"
#: (line number from 1, the line without its newline) → the event; raises Rejected.
Parser = Callable[[int, bytes], AnyEvent]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A line that is no event, or (line 0) a file that is not read. ``tail``: the file ended in the middle of it."""

    line: int
    path: str
    reason: str
    tail: bool = False

    def __str__(self) -> str:
        cut = " (the file is cut here)" if self.tail else ""
        return f"line {self.line}: {self.reason} at {self.path}{cut}" if self.line else self.reason


def _ndjson(_number: int, line: bytes) -> AnyEvent:
    try:
        return events.decode(line)
    except InvalidEvent as error:
        fields = events.parse(line)
        if isinstance(fields, dict) and any(fields.get(name) in (None, "") for name in ("event_id", "occurred_at")):
            # a door would complete it, with an id that no second replay gives again
            raise InvalidEvent(f"{error.reason} ({COMPLETE})", error.path) from error
        raise


#: Name of a format → makes its parser. Parsers may keep state (sessions), so each file gets its own.
FORMATS: dict[str, Callable[[], Parser]] = {"ndjson": lambda: _ndjson, "taobao": TaobaoParser}


class Line(msgspec.Struct, frozen=True):
    """An event, its line as it stands in the file, and the number of that, from 1."""

    number: int
    event: AnyEvent
    data: bytes = b""


def read(lines: BinaryIO, parse: Parser) -> Iterator[Line | Fault]:
    """Events and faults in the order of the lines; blank lines are neither. What every reader would reject is a fault too."""
    for number, line in numbered(lines):
        if isinstance(line, Rejected):
            yield Fault(line=number, path=line.path, reason=line.reason)
            continue
        text = line.rstrip(b"\r\n")
        if not text.strip():
            continue
        try:
            event = parse(number, text)
            events.admit(event, event.user_id, now_ms())
            yield Line(number, event, text)
        except Rejected as error:
            yield Fault(line=number, path=error.path, reason=error.reason, tail=not line.endswith(b"\n"))
