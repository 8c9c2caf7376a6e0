"""What a short application declares: tables of answers, messages and files, and the handlers that yield them. Pure values."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple, get_args

import msgspec

from clickstream.answers.cells import TOP_BYTES, Cell, Top
from clickstream.answers.users import User
from clickstream.application import Clients, Fold, Settings, Sink
from clickstream.errors import UserMistake
from clickstream.events import KNOWN
from clickstream.needs import Needs, check_name

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
"""In milliseconds, as every duration and time here."""
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_CELL = re.compile(r"[a-z][a-z0-9_]{0,39}")
#: A row's own attributes.
_TAKEN = frozenset({"window", "row", "position", "expires"})


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
Goal = Literal["sqs", "sns", "webhook"]
Format = Literal["ndjson", "parquet"]
_addition = tuple.__new__  # in half the time of Addition's own


class Table:
    """Cells per key and window of event time: ``Table("wishes", per=HOUR, wishes=Count(), wishers=Distinct())``.

    ``per`` is the window's length in ms (a divisor or multiple of a day; 0: one window for all time), ``kept`` how long a row
    stays after it was last written, and after its window's end at least; the one for all time stays for ever.
    """

    def __init__(self, name: str, *, per: int = HOUR, kept: int = 400 * DAY, **cells: Cell[Any]) -> None:
        self.name, self.per, self.kept, self.cells = name, per, kept, cells
        _named(f"table {name!r}", name)
        fits = type(per) is int and per >= 0 and (per % DAY == 0 or DAY % per == 0)
        _must(fits, f"table {name!r}: per={per}", _PER)
        _must(
            type(kept) is int and kept > 0, f"table {name!r}: kept={kept}", "an int, how long a row stays, in ms: kept=90 * DAY"
        )
        _must(cells, f"table {name!r} has no cells", "Table(name, per=HOUR, sold=Sum())")
        for cell, kind in cells.items():
            _must(isinstance(kind, Cell), f"table {name!r}: {cell}={kind!r} is no cell", "Count(), with its parentheses")
            _must(_CELL.fullmatch(cell) and cell not in _TAKEN, f"table {name!r}: no cell may be named {cell!r}", _CELLS)
        tops = [cell for cell in cells.values() if isinstance(cell, Top)]
        for top in tops:
            top.most_bytes = min(top.most_bytes, TOP_BYTES // len(tops))

    def add(self, key: str, /, **values: Any) -> Addition:
        """An addition to the row of ``key`` in the window of the event's (or the timer's) time."""
        return _addition(Addition, (self.name, key, values))


class Messages(NamedTuple):
    """Messages, each sent once for its identity through an outbox: to a queue or topic that is made for them, or a webhook.

    The webhook's URL comes from the setting ``CLICKSTREAM_WEBHOOKS``, a JSON object of names and URLs.
    """

    name: str
    to: Goal = "sqs"

    def send(self, id: str, /, **body: Any) -> Sending:
        return Sending(self.name, id, body)


class Files(NamedTuple):
    """Lines in objects on S3, NDJSON or Parquet, each line once."""

    name: str
    format: Format = "ndjson"

    def write(self, **fields: Any) -> Writing:
        return Writing(self.name, fields)


Handler = Callable[[Any, User[Any]], Iterable[Answer] | None]
"""(event, user): called for each event of its type, in the order of the user's events."""
Timer = Callable[[User[Any], int], Iterable[Answer] | None]
"""(user, at_ms): called once the shard's events have come ``lateness`` past the time that the user was to wake at."""
Upcast = Callable[[int, dict[str, Any]], dict[str, Any]]
"""(version, fields): a user's state of an older version as fields of this one."""


class Application:
    """A short application; satisfies :class:`clickstream.application.Application`. Raises UserMistake.

    A table takes late events into the windows they belong to: those up to ``lateness`` after a window's end into its first
    part, others into parts of their own, which readers add up. ``version`` is that of ``state``: raise it with every change
    that a state written before cannot be read with, and let ``upcast`` bring older ones up to date.
    """

    def __init__(
        self,
        name: str,
        *,
        on: Mapping[str, Handler],
        timers: Mapping[str, Timer] | None = None,
        answers: Iterable[Table | Messages | Files] = (),
        state: type[msgspec.Struct] | None = None,
        version: int = 1,
        upcast: Upcast | None = None,
        lateness: int = 5 * MINUTE,
        users_kept: int = 30 * DAY,
    ) -> None:
        says = f"application {name!r}"
        _must(isinstance(on, Mapping) and isinstance(timers or {}, Mapping), f"{says}: not by name", _BY_NAME)
        _must(isinstance(answers, Iterable), f"{says}: {answers!r} is no list of answers", "answers=[TABLE]")
        self.name, self.on, self.timers, self.answers = name, dict(on), dict(timers or {}), tuple(answers)
        self.state, self.version, self.upcast = state, version, upcast
        self.lateness, self.users_kept = lateness, users_kept
        check_name(name)
        for kind in self.on:
            _must(kind in KNOWN, f"{says}: no event has the type {kind!r}", _TYPES)
        for what, handler in [*self.on.items(), *self.timers.items()]:
            _must(callable(handler) and isinstance(what, str), f"{says}: {what} has no function", _BY_NAME)
        names: set[str] = set()
        for answer in self.answers:
            _must(isinstance(answer, Table | Messages | Files), f"{says}: {answer!r} is no answer", "Table, Messages or Files")
            _named(f"{says}: {answer.name!r}", answer.name)
            _must(answer.name not in names, f"{says} has two answers named {answer.name!r}", "rename one")
            names.add(answer.name)
            match answer:
                case Messages(_, goal):
                    _must(goal in _GOALS, f"{says}: {answer.name!r} goes to {goal!r}", f"one of {_GOALS}")
                case Files(_, format):
                    _must(format in _FORMATS, f"{says}: {answer.name!r} has the format {format!r}", f"one of {_FORMATS}")
        for number, value, least in ("version", version, 1), ("lateness", lateness, 0), ("users_kept", users_kept, 1):
            _must(type(value) is int and value >= least, f"{says}: {number}={value!r}", f"an int from {least} on: HOUR // 2")
        _must(state is None or _is_state(state), f"{says}: {state!r} cannot be the state of a user", _STATE)

    @property
    def tables(self) -> dict[str, Table]:
        return {answer.name: answer for answer in self.answers if isinstance(answer, Table)}

    @property
    def needs(self) -> Needs:
        """Wired to no module yet: whoever loads one knows it."""
        from clickstream.answers.needs import needs_of

        return needs_of(self)

    def open_sink(self, shard_id: str, clients: Clients, settings: Settings, /) -> Sink:
        from clickstream.answers.sink import AnswersSink

        return AnswersSink(self, shard_id, clients, settings)

    def open_fold(self, _shard_id: str, /) -> Fold:
        from clickstream.answers.fold import ShortFold

        return ShortFold(self)


_GOALS, _FORMATS = get_args(Goal), get_args(Format)
_PER = "an int, a divisor or multiple of a day in ms, or 0: per=HOUR // 2"
_BY_NAME = "on={'purchase': bought}, timers={'cart': remind}"
_NAMES = "lower case letters, digits and -, at most 40"
_CELLS = f"lower case letters, digits and _, and none of {', '.join(sorted(_TAKEN))}"
_OWN = "declare your own in the folder CLICKSTREAM_EVENTS, or install the package that does"
_TYPES = f"known are {', '.join(sorted(KNOWN))}; {_OWN}"
_STATE = "a msgspec.Struct that is not frozen and has a default, of its type, for every field"


def _must(holds: object, message: str, hint: str) -> None:
    if not holds:
        raise UserMistake(message, hint)


def _named(what: str, name: str) -> None:
    _must(isinstance(name, str) and _NAME.fullmatch(name), f"{what}: not a name", _NAMES)


def _is_state(state: type[msgspec.Struct]) -> bool:
    try:
        msgspec.msgpack.decode(msgspec.msgpack.encode(state()), type=state)
        return not state.__struct_config__.frozen
    except (TypeError, AttributeError, msgspec.MsgspecError):
        return False
