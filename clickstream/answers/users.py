"""What a short application knows of a user, and the times at which users are to wake. Pure; times are event time, in ms."""

from collections.abc import Callable, Iterable, Mapping
from heapq import heappop, heappush
from typing import Any, Generic, TypeVar

S = TypeVar("S")
NEVER = 2**63


class WrongAnswer(TypeError):
    """A handler yielded or asked for what its application has not declared. A bug of its: the event is set aside in the end."""


class Alarms:
    """When to look at whose timer next: for each timer one entry at its time or before, for it may have been put off since."""

    __slots__ = ("_heap", "_lateness", "_names", "due_at")

    def __init__(self, names: Iterable[str], lateness: int) -> None:
        self._names = frozenset(names)
        self._lateness = lateness
        self._heap: list[tuple[int, str, str]] = []
        self.due_at = NEVER
        """No timer is due before the watermark has come here."""

    def set(self, at_ms: int, user_id: str, name: str) -> None:
        if name not in self._names:
            raise WrongAnswer(f"there is no timer {name!r}; the application's timers are {sorted(self._names)}")
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
    """The user of the event at hand. ``state`` begins with its defaults, and is kept if the application declares one.

    A user whom no handler has met for ``users_kept`` of event time, and who has no timer, is as if never met.
    """

    __slots__ = ("_alarms", "_begin", "id", "seen", "state", "timers")

    def __init__(self, id: str, begin: Callable[[], S], alarms: Alarms) -> None:
        self.id = id
        self.state: S = begin()
        self.timers: dict[str, int] = {}
        """Name → time. Change them by ``wake`` and ``sleep``."""
        self.seen = 0
        """The shard's latest event time when a handler was last called for the user."""
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
