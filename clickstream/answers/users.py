"""What a short application knows of its users, and when they are to wake. Pure; times are event time, in ms.

A user whom no handler has met for ``kept``, and who has no timer, is as if never met. Clients make up user ids, so the users of
a shard are bounded: beyond it those who came least lately are forgotten before their time, and counted. Whom either meets
follows from the events alone, as all state does.
"""

from collections.abc import Callable, Iterable, Iterator
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from clickstream.envelope import LATEST_MS

if TYPE_CHECKING:
    from clickstream.answers.declared import Application

S = TypeVar("S")
NEVER = 2**63
#: Entries beyond which the heap of timers is looked through for those that are of no use any more.
_ALARMS = 1_000


class WrongAnswer(TypeError):
    """A handler yielded or asked for what its application has not declared. A bug of its: the event is set aside in the end."""


class User(Generic[S]):
    """The user of the event at hand. ``state`` begins with its defaults, and is kept if the application declares one."""

    __slots__ = ("_users", "forgotten", "id", "seen", "state", "timers")

    def __init__(self, id: str, users: "Users") -> None:
        self.id, self._users = id, users
        self.state: S = users.begin()
        self.timers: dict[str, int] = {}
        """Name → time. Change them by ``wake`` and ``sleep``."""
        self.seen = 0
        """The shard's latest event time when a handler was last called for the user."""
        self.forgotten = False
        """Since ``forget``, until it is seen whether the handler has begun anew."""

    def wake(self, name: str, at_ms: int) -> None:
        """Call the timer ``name`` once events have come ``lateness`` past this time; it replaces the one of that name.

        A time that has passed already is due before the shard's next event.
        """
        if type(at_ms) is not int or not 0 <= at_ms <= LATEST_MS:
            raise WrongAnswer(f"a timer takes its time as an int of milliseconds, from 1970 to 2099, not {at_ms!r}")
        if name not in self._users.timers:
            raise WrongAnswer(f"there is no timer {name!r}; the application's timers are {sorted(self._users.timers)}")
        before, self.timers[name] = self.timers.get(name), at_ms
        if before is None or at_ms < before:
            self._users.look_at(at_ms, self.id, name)

    def sleep(self, name: str) -> None:
        """Take the timer back, if there is one."""
        self.timers.pop(name, None)

    def forget(self) -> None:
        """As if never met: no timers, and a state of defaults."""
        self.state = self._users.begin()
        self.timers.clear()
        self.forgotten = True


class Stateless(User[None]):
    """Of an application without ``state``."""

    __slots__ = ()

    @property
    def state(self) -> None:
        return None

    @state.setter
    def state(self, value: object) -> None:
        if value is not None:
            raise WrongAnswer("the application keeps nothing of its users: declare state=, a msgspec.Struct")


class StoredUser(msgspec.Struct, array_like=True):
    id: str
    seen: int
    timers: dict[str, int]
    state: msgspec.Raw


class Users:
    """All users of a shard, ``most`` at once."""

    def __init__(self, application: "Application", most: int) -> None:
        self.begin: Callable[[], Any] = application.state or (lambda: None)
        self.timers, self._lateness, self._kept = application.timers.keys(), application.lateness, application.users_kept
        self._most = most
        self._kind: type[User[Any]] = User if application.state else Stateless
        self._decode = msgspec.msgpack.Decoder(application.state or None).decode
        self._default = _encoder.encode(self.begin())
        self._users: dict[str, User[Any]] = {}
        """Those met last are last."""
        self._changed: dict[str, User[Any] | None] = {}
        """Those met since ``changes``, and (None) those gone."""
        self._alarms: list[tuple[int, str, str]] = []
        """A heap: for each timer an entry at its time or before, for it may have been put off since."""
        self._most_alarms = _ALARMS
        self.due_at = NEVER
        """No timer is due before the watermark has come here."""
        self.forgotten = 0
        """Before their time, since the shard began."""

    def meet(self, user_id: str, watermark: int) -> User[Any]:
        users = self._users
        user = users.pop(user_id, None)
        if user is None:
            user = self.stranger(user_id)
            while len(users) >= self._most:  # after a merge of shards there may be more
                self._drop(next(iter(users)))
                self.forgotten += 1
        elif user.seen <= watermark - self._kept and not user.timers:
            user.state = self.begin()
        user.seen = watermark
        self._changed.pop(user_id, None)
        users[user_id] = self._changed[user_id] = user
        return user

    def stranger(self, user_id: str) -> User[Any]:
        return self._kind(user_id, self)

    def look_at(self, at_ms: int, user_id: str, name: str) -> None:
        """At this time, look whether the timer is due."""
        heappush(self._alarms, (at_ms, user_id, name))
        if len(self._alarms) > self._most_alarms:  # most are of timers that were taken back, or set anew
            self._alarms = sorted(
                {(then, id, name) for _, id, name in self._alarms if (then := self._time_of(id, name)) is not None}
            )
            self._most_alarms = 2 * len(self._alarms) + _ALARMS
        self.due_at = self._alarms[0][0] + self._lateness

    def due(self, watermark: int) -> Iterator[tuple[User[Any], str, int]]:
        """Whose timers go off, with their names and times, in the order (time, user, name).

        It follows from the users' timers alone. A timer that another sets, or changes, by then does not go off.
        """
        found: dict[tuple[int, str, str], None] = {}
        while self._alarms and self._alarms[0][0] <= watermark - self._lateness:
            entry = heappop(self._alarms)
            if not self._put_off(*entry):
                found[entry] = None
        self.due_at = self._alarms[0][0] + self._lateness if self._alarms else NEVER
        for at_ms, user_id, name in found:
            if not self._put_off(at_ms, user_id, name):
                user = self.meet(user_id, watermark)
                del user.timers[name]
                yield user, name, at_ms

    def _put_off(self, at_ms: int, user_id: str, name: str) -> bool:
        """Whether the timer is not for this time; it gets an entry for its own then, if there still is one."""
        then = self._time_of(user_id, name)
        if then is not None and then != at_ms:
            self.look_at(then, user_id, name)
        return then != at_ms

    def _time_of(self, user_id: str, name: str) -> int | None:
        user = self._users.get(user_id)
        return None if user is None else user.timers.get(name)

    def part(self, user: User[Any]) -> None:
        """After a handler that has forgotten the user."""
        user.forgotten = False
        if not user.timers and _encoder.encode(user.state) == self._default and user.id in self._users:
            self._drop(user.id)

    def sweep(self, watermark: int) -> None:
        """Drop those who are as if never met."""
        last = watermark - self._kept
        for user_id in [user.id for user in self._users.values() if user.seen <= last and not user.timers]:
            self._drop(user_id)

    def _drop(self, user_id: str) -> None:
        del self._users[user_id]
        self._changed[user_id] = None

    def changes(self) -> tuple[list[StoredUser], list[str]]:
        """Those that were met, and the ids of those that are gone."""
        changed, self._changed = self._changed, {}
        met = [self._checked(user) for user in changed.values() if user is not None]
        return met, [user_id for user_id, user in changed.items() if user is None]

    def snapshot(self) -> list[StoredUser]:
        self.changes()
        return [_stored(user) for user in self._users.values()]

    def _checked(self, user: User[Any]) -> StoredUser:
        """Nobody checks what a handler assigns, and what cannot be read again would stop the shard for ever."""
        try:
            stored = _stored(user)
            self._decode(stored.state)
        except (msgspec.MsgspecError, TypeError, OverflowError) as error:
            raise WrongAnswer(f"a handler has set user.state to what it cannot be: {error}") from error
        return stored

    def restore(self, gone: Iterable[str], users: Iterable[StoredUser], read: Callable[[bytes], Any]) -> None:
        for user_id in gone:
            self._users.pop(user_id, None)
        for stored in users:
            self._users.pop(stored.id, None)
            user = self._users[stored.id] = self.stranger(stored.id)
            user.seen, user.state = stored.seen, read(bytes(stored.state))
            for name, at_ms in stored.timers.items():
                if name in self.timers:  # of another version
                    user.wake(name, at_ms)

    def order(self) -> None:
        """Those met last become last, as those of one shard are; for users of several."""
        self._users = {user.id: user for user in sorted(self._users.values(), key=lambda user: (user.seen, user.id))}


def _stored(user: User[Any]) -> StoredUser:
    return StoredUser(user.id, user.seen, user.timers, msgspec.Raw(_encoder.encode(user.state)))


_encoder = msgspec.msgpack.Encoder()
