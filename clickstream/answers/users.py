"""What a short application knows of a user, and the times at which users are to wake. Pure; times are event time, in ms."""

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

S = TypeVar("S")
NEVER = 2**63


class Alarms:
    """The timers of all users in the order (time, user, name). Replaced ones stay until their time, then pass."""

    __slots__ = ("_heap", "_names", "due_at")

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = frozenset(names)
        self._heap: list[tuple[int, str, str]] = []
        self.due_at = NEVER
        """No timer is due before."""

    def set(self, at_ms: int, user_id: str, name: str) -> None:
        if name not in self._names:
            raise TypeError(f"there is no timer {name!r}; the application's timers are {sorted(self._names)}")
        if type(at_ms) is not int or not -NEVER < at_ms < NEVER:
            raise TypeError(f"a timer takes a time as an int of milliseconds, not {at_ms!r}")
        heappush(self._heap, (at_ms, user_id, name))
        self.due_at = self._heap[0][0]

    def reset(self, users: Iterable["User[S]"]) -> None:
        """Take these users' timers in place of all."""
        self._heap = [(at_ms, user.id, name) for user in users for name, at_ms in user.timers.items()]
        heapify(self._heap)
        self.due_at = self._heap[0][0] if self._heap else NEVER

    def until(self, at_ms: int) -> Iterator[tuple[int, str, str]]:
        """Take out, in order and each once, what is due by then; some of it may have been replaced or put off."""
        last = None
        while self._heap and self._heap[0][0] <= at_ms:
            alarm = heappop(self._heap)
            if alarm != last:
                yield alarm
            last = alarm
        self.due_at = self._heap[0][0] if self._heap else NEVER


class User(Generic[S]):
    """The user of the event at hand. ``state`` begins with its defaults, and is kept if the application declares one.

    A user whom no handler has met for ``users_kept`` of event time, and who has no timer, is as if never met.
    """

    __slots__ = ("_alarms", "_begin", "id", "seen", "state", "timers")

    def __init__(self, id: str, begin: type[S], alarms: Alarms) -> None:
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
        self._alarms.set(at_ms, self.id, name)
        self.timers[name] = at_ms

    def sleep(self, name: str) -> None:
        """Take the timer back, if there is one."""
        self.timers.pop(name, None)

    def forget(self) -> None:
        """As if never met: no timers, and a state of defaults."""
        self.state = self._begin()
        self.timers.clear()
