"""A short application as a fold over one shard: events in; rows, messages and lines out. Pure.

The *watermark* is the latest event time of the shard so far. Before an event is handled, the watermark moves to it, and the
timers that are due by then go off in the order (time, user, name); one that a timer sets waits for the next event.

What was folded and not given out is no part of the state: a commit writes the effects of all that came before it.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from clickstream.answers.declared import Addition, Answer, Application, Files, Messages, Sending, Writing
from clickstream.answers.effects import Effect, Line, Message, Row
from clickstream.answers.rows import MOST_ROWS, TURN, Rows, Shape, must_be_key
from clickstream.answers.users import StoredUser, Users, WrongAnswer
from clickstream.application import Inheritance
from clickstream.events import EVENT_TYPES, AnyEvent
from clickstream.records.routing import hash_key

#: Of one shard in memory: some 500 bytes each, with a small state.
MOST_USERS = 300_000


class State(msgspec.Struct, array_like=True):
    """The fold's state, or its changes, encoded; rows and users are absolute. ``gone``: users who were forgotten; ``lines``:
    files → how many lines were given so far."""

    version: int
    watermark: int
    turn: int
    base: int
    lateness: int
    shape: Shape
    rows: list[Row]
    users: list[StoredUser]
    gone: list[str]
    lines: dict[str, int]
    forgotten: int


class ShortFold:
    """See ``clickstream.application.Fold``."""

    def __init__(self, application: Application, *, most_rows: int = MOST_ROWS, most_users: int = MOST_USERS) -> None:
        self._application = application
        self._handlers = {each: application.on.get(str(each.__struct_config__.tag)) for each in EVENT_TYPES}
        self._answers = {(type(answer), answer.name) for answer in application.answers}
        self._users = Users(application, most_users)
        self._passing = None if application.state or application.timers else self._users.stranger("")
        """All users of an application that keeps nothing of them."""
        self._watermark = 0
        self._rows = Rows(application.tables, application.lateness, most_rows)
        self._ungiven: list[Message | Line] = []
        self._lines: dict[str, int] = {}

    def apply(self, events: Sequence[AnyEvent]) -> None:
        handlers, rows, users, watermark, passing = self._handlers, self._rows, self._users, self._watermark, self._passing
        add = rows.add
        for event in events:
            at_ms = event.occurred_at
            if at_ms > watermark:
                self._watermark = watermark = at_ms
                if watermark >= rows.turn_ends:
                    self._begin_turn()
            if users.due_at <= watermark:
                for user, name, due_ms in users.due(watermark):
                    for answer in self._application.timers[name](user, due_ms) or ():
                        self._take(answer, due_ms)
                    if user.forgotten:
                        users.part(user)
            if (handler := handlers.get(type(event))) is not None:
                if passing is None:
                    user = users.meet(event.user_id, watermark)
                else:
                    user = passing
                    user.id = event.user_id
                for answer in handler(event, user) or ():
                    if type(answer) is Addition:  # as _take does, without the call: it is what most events come to
                        add(answer, at_ms, watermark)
                    else:
                        self._take(answer, at_ms)
                if user.forgotten:
                    users.part(user)

    def _begin_turn(self) -> None:
        self._rows.begin_turn(self._watermark)
        self._users.sweep(self._rows.turn_ends - TURN)

    def _take(self, answer: Answer, at_ms: int) -> None:
        if type(answer) is Addition:
            self._rows.add(answer, at_ms, self._watermark)
        elif type(answer) is Sending and (Messages, answer.messages) in self._answers:
            must_be_key(answer.id, "a message's identity")
            self._ungiven.append(Message(answer.messages, answer.id, _json(answer.body)))
        elif type(answer) is Writing and (Files, answer.files) in self._answers and answer.fields:
            number = self._lines.get(answer.files, 0)
            self._lines[answer.files] = number + 1
            self._ungiven.append(Line(answer.files, at_ms, _json(answer.fields), number))
        else:
            raise WrongAnswer(f"{answer!r:.100} is no answer of the application: yield what add, send and write(field=…) make")

    def effects(self, *, flush: bool) -> Sequence[Effect]:
        others, self._ungiven = self._ungiven, []
        return [*self._rows.given(), *others]

    @property
    def forgotten(self) -> int:
        """Users, since the shard began."""
        return self._users.forgotten

    def changes(self) -> bytes:
        return self._encoded(self._rows.changes(), *self._users.changes())

    def snapshot(self) -> bytes:
        return self._encoded(self._rows.snapshot(), self._users.snapshot(), [])

    def _encoded(self, changed: list[Row], users: list[StoredUser], gone: list[str]) -> bytes:
        of, rows = self._application, self._rows
        head = (of.version, self._watermark, rows.turn, rows.base, of.lateness, rows.shape)
        return _encoder.encode(State(*head, changed, users, gone, self._lines, self._users.forgotten))

    def restore(self, state: bytes, inheritance: Inheritance | None) -> None:
        """Raises msgspec.MsgspecError when the bytes are no state of this application, or of one that it cannot read."""
        stored, rows, application = _decoder.decode(state), self._rows, self._application
        rows.must_fit(stored.shape)
        users = stored.users
        if inheritance is None:
            rows.turn, rows.base, self._lines, self._users.forgotten = stored.turn, stored.base, stored.lines, stored.forgotten
            rows.restore(stored.rows)
            if stored.lateness != application.lateness or rows.has_more_than(stored.shape):
                # another rule said which part takes an addition, or the store may have what this state has not
                rows.close()
        else:  # the parent's rows stay; this shard adds its own
            users = [user for user in users if hash_key(user.id) in inheritance.keys]
        self._users.restore(stored.gone, users, lambda user: read_state(application, stored.version, user))
        if inheritance is not None:
            self._users.order()
        self._watermark = max(self._watermark, stored.watermark)
        self._begin_turn()


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


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(State)
_json = msgspec.json.Encoder().encode
