"""A short application as a fold over one shard: events in; rows, messages and lines out. Pure.

The *watermark* is the latest event time of the shard so far. Before an event is handled, the watermark moves to it, and the
timers that are due by then go off in the order (time, user, name); one that a timer sets waits for the next event.

A row is a key in one *part* of a window. A window takes additions into the part ``base``, which is 0 at first, until the
watermark is ``lateness`` past its end; later ones go into the part of the *turn*, a quarter of an hour of the watermark.
With more than ``most_rows`` rows at once, all parts are closed: a turn begins, and its number becomes the ``base``. So each
part has an end after which it is never touched again and leaves memory, and which part takes an addition follows from the
order of the events alone. A reader merges the parts.

What was folded and not given out is no part of the state: a commit writes the effects of all that came before it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from clickstream.answers.cells import Max, Packed, Sum
from clickstream.answers.declared import MINUTE, Addition, Answer, Application, Files, Messages, Sending, Table, Writing
from clickstream.answers.effects import Effect, Line, Message, Row
from clickstream.answers.users import NEVER, Alarms, User, WrongAnswer
from clickstream.application import Inheritance
from clickstream.events import EVENT_TYPES, MOST_KEY_BYTES, AnyEvent, key_faults
from clickstream.records.routing import hash_key

TURN = 15 * MINUTE
#: Of one shard in memory. One with a sketch of very many users takes 5 kB.
MOST_ROWS = 100_000

RowId = tuple[str, int, int, str]
"""(table, start, part, key)."""
Shape = dict[str, tuple[int, dict[str, str]]]
"""Table → length of its windows, and kinds of its cells."""


class StoredUser(msgspec.Struct, array_like=True):
    id: str
    seen: int
    timers: dict[str, int]
    state: msgspec.Raw


class State(msgspec.Struct, array_like=True):
    """The fold's state, or its changes, encoded; rows and users are absolute. ``gone``: users who were forgotten."""

    version: int
    watermark: int
    turn: int
    base: int
    lateness: int
    tables: Shape
    rows: list[tuple[RowId, dict[str, Packed]]]
    users: list[StoredUser]
    gone: list[str]
    lines: dict[str, int]
    """Files → how many lines were given so far."""


class _Plan(NamedTuple):
    """How a table takes additions."""

    per: int
    taken: int
    """Until the watermark has come so far past its start, a window takes additions into the part ``base``."""
    add: dict[str, Callable[[Any, Any], Any]]


def _plan(table: Table, lateness: int) -> _Plan:
    per = table.per or NEVER
    return _Plan(per, per + lateness, {name: cell.add for name, cell in table.cells.items()})


class ShortFold:
    """See ``clickstream.application.Fold``."""

    def __init__(self, application: Application, *, most_rows: int = MOST_ROWS) -> None:
        self._application = application
        self._most_rows = most_rows
        self._handlers = {event_type: application.on.get(str(event_type.__struct_config__.tag)) for event_type in EVENT_TYPES}
        self._tables = application.tables
        self._plans = {table.name: _plan(table, application.lateness) for table in self._tables.values()}
        self._packs = {t.name: [(n, c.pack) for n, c in t.cells.items() if not isinstance(c, Sum | Max)] for t in application.tables.values()}
        self._shape = {t.name: (t.per, {name: cell.kind for name, cell in t.cells.items()}) for t in self._tables.values()}
        self._others = {answer.name: type(answer) for answer in application.answers}
        self._begin: Callable[[], Any] = application.state or _nothing
        self._stranger = _encoder.encode(self._begin())
        self._alarms = Alarms(application.timers, application.lateness)
        keeps = application.state is not None or application.timers
        self._passing = None if keeps else User("", self._begin, self._alarms)
        """All users of an application that keeps nothing of them."""
        self._users: dict[str, User[Any]] = {}
        self._met: dict[str, User[Any]] = {}
        """Since the last changes."""
        self._watermark = self._turn = self._base = self._turn_ends = 0
        self._rows: dict[RowId, dict[str, Any]] = {}
        """The states of the cells of all rows that are not closed."""
        self._touched: dict[RowId, dict[str, Any]] = {}
        """Those that were added to since they were last packed."""
        self._unsaved: dict[RowId, dict[str, Packed]] = {}
        self._rows_ungiven: dict[RowId, dict[str, Packed]] = {}
        self._ungiven: list[Message | Line] = []
        self._lines: dict[str, int] = {}

    def apply(self, events: Sequence[AnyEvent]) -> None:
        handlers, alarms, watermark = self._handlers, self._alarms, self._watermark
        for event in events:
            at_ms = event.occurred_at
            if at_ms > watermark:
                self._watermark = watermark = at_ms
                if watermark >= self._turn_ends:
                    self._settle()
                    self._begin_turn()
            if alarms.due_at <= watermark:
                self._go_off()
            if (handler := handlers.get(type(event))) is not None:
                answers = handler(event, self._meet(event.user_id))
                if answers is not None:
                    self._take(answers, at_ms)

    def _go_off(self) -> None:
        for at_ms, user_id, name in self._alarms.due(self._users, self._watermark):
            user = self._users[user_id]
            if user.timers.get(name) == at_ms:  # no timer before it has changed it
                del user.timers[name]
                user.seen = self._watermark
                self._met[user_id] = user
                self._take(self._application.timers[name](user, at_ms) or (), at_ms)
            elif (changed := user.timers.get(name)) is not None:
                self._alarms.set(changed, user_id, name)

    def _meet(self, user_id: str) -> User[Any]:
        if self._passing is not None:
            self._passing.id = user_id
            return self._passing
        user = self._users.get(user_id)
        if user is None:
            user = self._users[user_id] = User(user_id, self._begin, self._alarms)
        elif self._is_over(user):
            user.forget()
        user.seen = self._watermark
        self._met[user_id] = user
        return user

    def _is_over(self, user: User[Any]) -> bool:
        return user.seen <= self._watermark - self._application.users_kept and not user.timers

    def _take(self, answers: Iterable[Answer], at_ms: int) -> None:
        touched, plans = self._touched, self._plans
        for answer in answers:
            if type(answer) is Addition and answer[0] in plans:
                table, key, values = answer
                per, taken, add = plans[table]
                start = at_ms - at_ms % per
                row_id = (table, start, self._base if self._watermark < start + taken else self._turn, key)
                row = touched.get(row_id)
                if row is None:
                    row = self._touch(row_id)
                    touched = self._touched
                for name, value in values.items():
                    row[name] = add[name](row[name], value)
            elif type(answer) is Sending and self._others.get(answer.messages) is Messages:
                _must_be_key(answer.id, "a message's identity")
                self._ungiven.append(Message(answer.messages, answer.id, _json(answer.body)))
            elif type(answer) is Writing and self._others.get(answer.files) is Files:
                number = self._lines.get(answer.files, 0)
                self._lines[answer.files] = number + 1
                self._ungiven.append(Line(answer.files, at_ms, _json(answer.fields), number))
            else:
                raise WrongAnswer(f"{answer!r:.200}: the application has no such answer; handlers yield what add, send, write make")

    def _touch(self, row_id: RowId) -> dict[str, Any]:
        row = self._rows.get(row_id)
        if row is None:
            table, start, _, key = row_id
            _must_be_key(key, f"a key of table {table!r}")
            if len(self._rows) >= self._most_rows:
                self._close()
                row_id = (table, start, self._base, key)
            row = self._rows[row_id] = {name: cell.empty() for name, cell in self._tables[table].cells.items()}
        self._touched[row_id] = row
        return row

    def _close(self) -> None:
        """No row of so far takes any more additions."""
        self._settle()
        self._rows = {}
        self._turn = self._base = self._turn + 1

    def _begin_turn(self) -> None:
        """After the watermark has moved, and nothing is unsettled."""
        quarters = self._watermark // TURN
        self._turn_ends = (quarters + 1) * TURN
        self._turn = max(self._turn, quarters + 1)
        self._rows = {row_id: row for row_id, row in self._rows.items() if self._is_open(row_id, quarters * TURN)}

    def _is_open(self, row_id: RowId, turn_began: int) -> bool:
        table, start, part, _ = row_id
        return part == self._turn or (part == self._base and turn_began < start + self._plans[table].taken)

    def _settle(self) -> None:
        touched, self._touched = self._touched, {}
        for row_id, row in touched.items():
            self._unsaved[row_id] = self._rows_ungiven[row_id] = self._packed(row_id, row)

    def _packed(self, row_id: RowId, row: dict[str, Any]) -> dict[str, Packed]:
        packed = row.copy()
        for name, pack in self._packs[row_id[0]]:
            packed[name] = pack(row[name])
        return packed

    def effects(self, *, flush: bool) -> Sequence[Effect]:
        self._settle()
        rows, self._rows_ungiven = self._rows_ungiven, {}
        others, self._ungiven = self._ungiven, []
        return [*(Row(*row_id, cells) for row_id, cells in rows.items()), *others]

    def changes(self) -> bytes:
        self._settle()
        met, self._met = self._met, {}
        users, gone = [], []
        for user in met.values():
            if (stored := self._stored(user)) is None:
                del self._users[user.id]
                gone.append(user.id)
            else:
                users.append(stored)
        return self._encoded(self._unsaved, users, gone)

    def snapshot(self) -> bytes:
        self._settle()
        self._met = {}
        self._users = {user_id: user for user_id, user in sorted(self._users.items()) if not self._is_over(user)}
        users = [stored for stored in map(self._stored, self._users.values()) if stored is not None]
        rows = {row_id: self._packed(row_id, row) for row_id, row in sorted(self._rows.items())}
        return self._encoded(rows, users, [])

    def _stored(self, user: User[Any]) -> StoredUser | None:
        """None: a stranger, as far as anybody can tell."""
        state = _encoder.encode(user.state)
        if state == self._stranger and not user.timers:
            return None
        return StoredUser(user.id, user.seen, user.timers, msgspec.Raw(state))

    def _encoded(self, rows: dict[RowId, dict[str, Packed]], users: list[StoredUser], gone: list[str]) -> bytes:
        self._unsaved = {}
        of = self._application
        return _encoder.encode(
            State(
                of.version,
                self._watermark,
                self._turn,
                self._base,
                of.lateness,
                self._shape,
                [*rows.items()],
                users,
                gone,
                self._lines,
            )
        )

    def restore(self, state: bytes, inheritance: Inheritance | None) -> None:
        """Raises msgspec.MsgspecError when the bytes are no state of this application, or of a version that it cannot read."""
        decoded = _decoder.decode(state)
        _must_fit(decoded.tables, self._shape)
        for user_id in decoded.gone:
            self._users.pop(user_id, None)
        for stored in decoded.users:
            if inheritance is None or hash_key(stored.id) in inheritance.keys:
                self._users[stored.id] = self._restored(stored, decoded.version)
        self._watermark = max(self._watermark, decoded.watermark)
        if inheritance is None:  # else the parent's rows stay; this shard adds its own
            self._turn, self._base, self._lines = decoded.turn, decoded.base, decoded.lines
            for row_id, packed in decoded.rows:
                if (table := self._tables.get(row_id[0])) is not None:
                    cells = table.cells.items()
                    self._rows[row_id] = {n: cell.unpack(packed[n]) if n in packed else cell.empty() for n, cell in cells}
            if decoded.lateness != self._application.lateness:
                self._close()  # which part takes an addition was decided in another way
        self._begin_turn()

    def _restored(self, stored: StoredUser, version: int) -> User[Any]:
        user = User(stored.id, self._begin, self._alarms)
        user.seen = stored.seen
        user.state = read_state(self._application, version, stored.state)
        for name, at_ms in stored.timers.items():
            if name in self._application.timers:
                user.wake(name, at_ms)
        return user


def read_state(application: Application, version: int, state: bytes) -> Any:
    """A user's state as a version of the application wrote it; raises msgspec.MsgspecError when this one cannot read it."""
    if version != application.version:
        if version > application.version or application.upcast is None:
            raise msgspec.ValidationError(
                f"a user's state of version {version}; this is {application.version}"
                + (", without upcast=…" if version < application.version else "")
            )
        try:
            state = _encoder.encode(application.upcast(version, msgspec.msgpack.decode(state)))
        except Exception as error:
            raise msgspec.ValidationError(f"upcast from version {version} raised {type(error).__name__}: {error}") from error
    return msgspec.msgpack.decode(state, type=application.state or type(None))


def _nothing() -> None:
    return None


def _must_fit(stored: Shape, declared: Shape) -> None:
    for name in stored.keys() & declared.keys():
        (per, cells), (declared_per, declared_cells) = stored[name], declared[name]
        changed = [cell for cell in cells.keys() & declared_cells.keys() if cells[cell] != declared_cells[cell]]
        if per != declared_per or changed:
            what = f"cell {changed[0]!r} was {cells[changed[0]]}" if changed else f"windows were of {per} ms"
            raise msgspec.ValidationError(f"table {name!r}: {what}: give what has changed another name")


def _must_be_key(key: Any, what: str) -> None:
    if type(key) is not str or not key or next(key_faults(key), None):
        raise WrongAnswer(f"{what} is a str of 1 to {MOST_KEY_BYTES} bytes without control characters, not {key!r:.100}")


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(State)
_json = msgspec.json.Encoder().encode
