"""What a short application knows of its users, and when they are to wake. Pure; times are event time, in ms.

A user whom no handler has met for ``kept``, and who has no timer, is as if never met. Clients make up user ids, so the users of
a shard are bounded: beyond it those who came least lately are forgotten before their time, and counted. Whom either meets
follows from the events alone, as all state does.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import heappop, heappush
from typing import Any, Generic, TypeVar

import msgspec

S = TypeVar("S")
NEVER = 2**63


class WrongAnswer(TypeError):
    """A handler yielded or asked for what its application has not declared. A bug of its: the event is set aside in the end."""


class Alarms:
    """When to look at whose timer next: for each timer one entry at its time or before, for it may have been put off since."""

    __slots__ = ("_heap", "_lateness", "due_at", "names")

    def __init__(self, names: Iterable[str], lateness: int) -> None:
        self.names = frozenset(names)
        self._lateness = lateness
        self._heap: list[tuple[int, str, str]] = []
        self.due_at = NEVER
        """No timer is due before the watermark has come here."""

    def set(self, at_ms: int, user_id: str, name: str) -> None:
        if name not in self.names:
            raise WrongAnswer(f"there is no timer {name!r}; the application's timers are {sorted(self.names)}")
        heappush(self._heap, (at_ms, user_id, name))
        self.due_at = self._heap[0][0] + self._lateness

    def due(self, users: Mapping[str, "User[Any]"], watermark: int) -> list[tuple[int, str, str]]:
        """(time, user, name) of all timers that are due, in this order; it follows from the users' timers alone."""
        heap, limit, found = self._heap, watermark - self._lateness, set()
        while heap and heap[0][0] <= limit:
            _, user_id, name = heappop(heap)
            user = users.get(user_id)
            if user is not None and (at_ms := user.timers.get(name)) is not None:
                if at_ms > limit:
                    heappush(heap, (at_ms, user_id, name))
                else:
                    found.add((at_ms, user_id, name))
        self.due_at = heap[0][0] + self._lateness if heap else NEVER
        return sorted(found)


class User(Generic[S]):
    """The user of the event at hand. ``state`` begins with its defaults, and is kept if the application declares one."""

    __slots__ = ("_alarms", "_begin", "forgotten", "id", "seen", "state", "timers")

    def __init__(self, id: str, begin: Callable[[], S], alarms: Alarms) -> None:
        self.id = id
        self.state: S = begin()
        self.timers: dict[str, int] = {}
        """Name → time. Change them by ``wake`` and ``sleep``."""
        self.seen = 0
        """The shard's latest event time when a handler was last called for the user."""
        self.forgotten = False
        """Since ``forget``, until it is seen whether the handler has begun anew."""
        self._begin = begin
        self._alarms = alarms

    def wake(self, name: str, at_ms: int) -> None:
        """Call the timer ``name`` once events have come ``lateness`` past this time; it replaces the one of that name.

        A time that has passed already is due before the shard's next event.
        """
        if type(at_ms) is not int or not -NEVER <= at_ms < NEVER:
            raise WrongAnswer(f"a timer takes its time as an int of milliseconds, not {at_ms!r}")
        if (before := self.timers.get(name)) is None or at_ms < before:
            self._alarms.set(at_ms, self.id, name)
        self.timers[name] = at_ms

    def sleep(self, name: str) -> None:
        """Take the timer back, if there is one."""
        self.timers.pop(name, None)

    def forget(self) -> None:
        """As if never met: no timers, and a state of defaults."""
        self.state = self._begin()
        self.timers.clear()
        self.forgotten = True


class StoredUser(msgspec.Struct, array_like=True):
    id: str
    seen: int
    timers: dict[str, int]
    state: msgspec.Raw


class Users:
    """All users of a shard."""

    def __init__(self, begin: Callable[[], Any], alarms: Alarms, kept: int, most: int) -> None:
        self._begin, self._alarms, self._kept, self._most = begin, alarms, kept, most
        self._stranger = _encoder.encode(begin())
        self._users: dict[str, User[Any]] = {}
        """Those met last are last; so in all below."""
        self._met: dict[str, User[Any]] = {}
        self._gone: dict[str, None] = {}
        self.forgotten = 0
        """Before their time, since the shard began."""

    def meet(self, user_id: str, watermark: int) -> User[Any]:
        users = self._users
        user = users.pop(user_id, None)
        if user is None:
            user = User(user_id, self._begin, self._alarms)
            if len(users) >= self._most:
                self._drop(next(iter(users)))
                self.forgotten += 1
        elif user.seen <= watermark - self._kept and not user.timers:
            user.state = self._begin()
        users[user_id] = user
        user.seen = watermark
        self._met.pop(user_id, None)
        self._met[user_id] = user
        return user

    def due(self, watermark: int) -> Iterator[tuple[User[Any], str, int]]:
        """Whose timers go off, with their names and times; a timer that another has changed by then does not."""
        for at_ms, user_id, name in self._alarms.due(self._users, watermark):
            user = self._users.get(user_id)
            if user is None or (then := user.timers.get(name)) is None:
                continue
            if then != at_ms:
                self._alarms.set(then, user_id, name)
                continue
            user = self.meet(user_id, watermark)
            del user.timers[name]
            yield user, name, at_ms

    def part(self, user: User[Any]) -> None:
        """After a handler that has forgotten the user."""
        user.forgotten = False
        if not user.timers and _encoder.encode(user.state) == self._stranger and user.id in self._users:
            self._drop(user.id)

    def sweep(self, watermark: int) -> None:
        """Drop those who are as if never met."""
        last = watermark - self._kept
        for user_id in [user.id for user in self._users.values() if user.seen <= last and not user.timers]:
            self._drop(user_id)

    def _drop(self, user_id: str) -> None:
        del self._users[user_id]
        self._met.pop(user_id, None)
        self._gone[user_id] = None

    def changes(self) -> tuple[list[StoredUser], list[str]]:
        """Those that were met, and the ids of those that are gone."""
        met, self._met, gone, self._gone = self._met, {}, self._gone, {}
        return [_stored(user) for user in met.values()], [user_id for user_id in gone if user_id not in met]

    def snapshot(self) -> list[StoredUser]:
        self._met, self._gone = {}, {}
        return [_stored(user) for user in self._users.values()]

    def restore(self, gone: Iterable[str], users: Iterable[StoredUser], read: Callable[[bytes], Any]) -> None:
        for user_id in gone:
            self._users.pop(user_id, None)
        for stored in users:
            self._users.pop(stored.id, None)
            user = self._users[stored.id] = User(stored.id, self._begin, self._alarms)
            user.seen, user.state = stored.seen, read(bytes(stored.state))
            for name, at_ms in stored.timers.items():
                if name in self._alarms.names:  # of another version
                    user.wake(name, at_ms)


def _stored(user: User[Any]) -> StoredUser:
    return StoredUser(user.id, user.seen, user.timers, msgspec.Raw(_encoder.encode(user.state)))


_encoder = msgspec.msgpack.Encoder()
