"""What a short application declares: tables of answers, messages and files, and the handlers that yield them. Pure values."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from clickstream.answers.cells import Cell
from clickstream.answers.users import User

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
"""In milliseconds, as every duration and time here."""


class Addition(NamedTuple):
    """Yielded by a handler: add these values to the cells of a key. Made by :meth:`Table.add`."""

    table: str
    key: str
    values: dict[str, Any]


class Sending(NamedTuple):
    """Yielded by a handler. Made by :meth:`Messages.send`."""

    messages: str
    id: str
    body: dict[str, Any]


class Writing(NamedTuple):
    """Yielded by a handler. Made by :meth:`Files.write`."""

    files: str
    fields: dict[str, Any]


Answer = Addition | Sending | Writing


class Table:
    """Cells per key and window of event time: ``Table("wishes", per=HOUR, wishes=Count(), wishers=Distinct())``.

    ``per`` is the window's length in ms (a divisor or multiple of a day; 0: one window for all time), ``kept`` how long a row
    stays after it was last written.
    """

    def __init__(self, name: str, *, per: int = HOUR, kept: int = 400 * DAY, **cells: Cell) -> None:
        self.name, self.per, self.kept, self.cells = name, per, kept, cells

    def add(self, key: str, /, **values: Any) -> Addition:
        """An addition to the row of ``key`` in the window of the event's (or the timer's) time."""
        return Addition(self.name, key, values)


class Messages(NamedTuple):
    """Messages, each sent once for its identity through an outbox: to a queue or topic that is made for them, or a webhook.

    The webhook's URL comes from the setting ``CLICKSTREAM_WEBHOOKS``, a JSON object of names and URLs.
    """

    name: str
    to: Literal["sqs", "sns", "webhook"] = "sqs"

    def send(self, id: str, /, **body: Any) -> Sending:
        return Sending(self.name, id, body)


class Files(NamedTuple):
    """Lines in objects on S3, NDJSON or Parquet, each line once."""

    name: str
    format: Literal["ndjson", "parquet"] = "ndjson"

    def write(self, **fields: Any) -> Writing:
        return Writing(self.name, fields)


Handler = Callable[[Any, User[Any]], Iterable[Answer] | None]
"""(event, user): called for each event of its type, in the order of the user's events."""
Timer = Callable[[User[Any], int], Iterable[Answer] | None]
"""(user, at_ms): called once the shard's events have come ``lateness`` past the time that the user was to wake at."""


class Application:
    """A short application; satisfies :class:`clickstream.application.Application`."""

    def __init__(
        self,
        name: str,
        *,
        on: Mapping[str, Handler],
        timers: Mapping[str, Timer] | None = None,
        answers: Iterable[Table | Messages | Files] = (),
        state: type[msgspec.Struct] | None = None,
        version: int = 1,
        upcast: Callable[[int, dict[str, Any]], dict[str, Any]] | None = None,
        lateness: int = 5 * MINUTE,
        users_kept: int = 30 * DAY,
    ) -> None: ...
