"""A short application as a fold over one shard: events in; rows, messages and lines out. Pure.

The *watermark* is the latest event time of the shard so far. Before an event is handled, the watermark moves to it, and the
timers that are due by then go off in the order (time, user, name); one that a timer sets waits for the next event.

What was folded and not given out is no part of the state: a commit writes the effects of all that came before it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from clickstream.answers.declared import Addition, Answer, Application, Files, Messages, Sending, Writing
from clickstream.answers.effects import Effect, Line, Message
from clickstream.answers.rows import MOST_ROWS, Rows, Shape, WindowId, must_be_key
from clickstream.answers.users import Alarms, User, WrongAnswer
from clickstream.application import Inheritance
from clickstream.events import EVENT_TYPES, AnyEvent
from clickstream.records.routing import hash_key


class StoredUser(msgspec.Struct, array_like=True):
    id: str
    seen: int
    timers: dict[str, int]
    state: msgspec.Raw


class State(msgspec.Struct, array_like=True):
    """The fold's state, or its changes, encoded; rows and users are absolute. ``gone``: users who were forgotten; ``lines``:
    files → how many lines were given so far."""

    version: int
    watermark: int
    turn: int
    base: int
    lateness: int
    shape: Shape
    rows: list[tuple[WindowId, dict[str, list[Any]]]]
    users: list[StoredUser]
    gone: list[str]
    lines: dict[str, int]


class ShortFold:
    """See ``clickstream.application.Fold``."""

    def __init__(self, application: Application, *, most_rows: int = MOST_ROWS) -> None:
        self._application = application
        self._handlers = {each: application.on.get(str(each.__struct_config__.tag)) for each in EVENT_TYPES}
        self._answers = {(type(answer), answer.name) for answer in application.answers}
        self._begin: Callable[[], Any] = application.state or _nothing
        self._stranger = _encoder.encode(self._begin())
        self._alarms = Alarms(application.timers, application.lateness)
        keeps = application.state is not None or application.timers
        self._passing = None if keeps else User("", self._begin, self._alarms)
        """All users of an application that keeps nothing of them."""
        self._users: dict[str, User[Any]] = {}
        self._met: dict[str, User[Any]] = {}
        """Since the last changes."""
        self._watermark = 0
        self._rows = Rows(application.tables, application.lateness, most_rows)
        self._ungiven: list[Message | Line] = []
        self._lines: dict[str, int] = {}

    def apply(self, events: Sequence[AnyEvent]) -> None:
        handlers, alarms, rows, passing, watermark = self._handlers, self._alarms, self._rows, self._passing, self._watermark
        add = rows.add
        for event in events:
            at_ms = event.occurred_at
            if at_ms > watermark:
                self._watermark = watermark = at_ms
                if watermark >= rows.turn_ends:
                    rows.begin_turn(watermark)
            if alarms.due_at <= watermark:
                self._go_off()
            if (handler := handlers.get(type(event))) is not None:
                if passing is None:
                    answers = handler(event, self._meet(event.user_id))
                else:
                    passing.id = event.user_id
                    answers = handler(event, passing)
                if answers is not None:
                    for answer in answers:
                        if type(answer) is Addition:
                            add(answer, at_ms, watermark)
                        else:
                            self._give(answer, at_ms)

    def _meet(self, user_id: str) -> User[Any]:
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

    def _go_off(self) -> None:
        for at_ms, user_id, name in self._alarms.due(self._users, self._watermark):
            user = self._users[user_id]
            if user.timers.get(name) == at_ms:
                del user.timers[name]
                user.seen = self._watermark
                self._met[user_id] = user
                for answer in self._application.timers[name](user, at_ms) or ():
                    if type(answer) is Addition:
                        self._rows.add(answer, at_ms, self._watermark)
                    else:
                        self._give(answer, at_ms)
            elif (put_off := user.timers.get(name)) is not None:  # by another of the user's timers, just now
                self._alarms.set(put_off, user_id, name)

    def _give(self, answer: Answer, at_ms: int) -> None:
        if type(answer) is Sending and (Messages, answer.messages) in self._answers:
            must_be_key(answer.id, "a message's identity")
            self._ungiven.append(Message(answer.messages, answer.id, _json(answer.body)))
        elif type(answer) is Writing and (Files, answer.files) in self._answers:
            number = self._lines.get(answer.files, 0)
            self._lines[answer.files] = number + 1
            self._ungiven.append(Line(answer.files, at_ms, _json(answer.fields), number))
        else:
            raise WrongAnswer(f"{answer!r:.100} is no answer of the application: yield what add, send and write make")

    def effects(self, *, flush: bool) -> Sequence[Effect]:
        others, self._ungiven = self._ungiven, []
        return [*self._rows.given(), *others]

    def changes(self) -> bytes:
        met, self._met = self._met, {}
        users, gone = [], []
        for user in met.values():
            if (stored := self._stored(user)) is None:
                del self._users[user.id]
                gone.append(user.id)
            else:
                users.append(stored)
        return self._encoded(self._rows.changes(), users, gone)

    def snapshot(self) -> bytes:
        self._met = {}
        self._users = {user_id: user for user_id, user in sorted(self._users.items()) if not self._is_over(user)}
        users = [stored for stored in map(self._stored, self._users.values()) if stored is not None]
        return self._encoded(self._rows.snapshot(), users, [])

    def _stored(self, user: User[Any]) -> StoredUser | None:
        """None: a stranger, as far as anybody can tell."""
        state = _encoder.encode(user.state)
        known = bool(user.timers) or state != self._stranger
        return StoredUser(user.id, user.seen, user.timers, msgspec.Raw(state)) if known else None

    def _encoded(self, changed: list[tuple[WindowId, dict[str, list[Any]]]], users: list[StoredUser], gone: list[str]) -> bytes:
        of, rows = self._application, self._rows
        head = (of.version, self._watermark, rows.turn, rows.base, of.lateness, rows.shape)
        return _encoder.encode(State(*head, changed, users, gone, self._lines))

    def restore(self, state: bytes, inheritance: Inheritance | None) -> None:
        """Raises msgspec.MsgspecError when the bytes are no state of this application, or of one that it cannot read."""
        stored, rows = _decoder.decode(state), self._rows
        rows.must_fit(stored.shape)
        for user_id in stored.gone:
            self._users.pop(user_id, None)
        for each in stored.users:
            if inheritance is None or hash_key(each.id) in inheritance.keys:
                self._users[each.id] = self._restored(each, stored.version)
        self._watermark = max(self._watermark, stored.watermark)
        if inheritance is None:  # else the parent's rows stay; this shard adds its own
            rows.turn, rows.base, self._lines = stored.turn, stored.base, stored.lines
            rows.restore(stored.shape, stored.rows)
            if stored.lateness != self._application.lateness:
                rows.close()  # another rule said which part takes an addition
        rows.begin_turn(self._watermark)

    def _restored(self, stored: StoredUser, version: int) -> User[Any]:
        user = User(stored.id, self._begin, self._alarms)
        user.seen = stored.seen
        user.state = read_state(self._application, version, bytes(stored.state))
        for name, at_ms in stored.timers.items():
            if name in self._application.timers:
                user.wake(name, at_ms)
        return user


def read_state(application: Application, version: int, state: bytes) -> Any:
    """A user's state as the application's ``version`` encoded it; raises msgspec.MsgspecError when this one cannot read it."""
    if version != application.version:
        if version > application.version or application.upcast is None:
            raise msgspec.ValidationError(
                f"a user's state of version {version}; this is version {application.version}, without an upcast from there"
            )
        try:
            state = _encoder.encode(application.upcast(version, msgspec.msgpack.decode(state)))
        except Exception as error:
            raise msgspec.ValidationError(f"upcast from version {version}: {type(error).__name__}: {error}") from error
    return msgspec.msgpack.decode(state, type=application.state or None)


def _nothing() -> None:
    return None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(State)
_json = msgspec.json.Encoder().encode
