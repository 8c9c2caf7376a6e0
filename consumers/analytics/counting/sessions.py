"""The funnel view → cart → purchase by unique sessions, exact while a session lasts. Pure.

A session is (user, session id). In shard order, a product view lets it reach stage 1, a cart addition stage 2 if it had reached
1, a purchase stage 3 if it had reached 2. An event of a stage that its session has reached counts the session in the event's
minute, hour and day, once per window and stage.

A session lasts while the shard's watermark has moved at most ``TIMEOUT`` minutes since its last such event, and its events lie
within ``SPAN`` minutes of each other; an event outside starts it anew. Both rules are evaluated per event, so no result depends
on when memory is reclaimed.
"""

import heapq
from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec

from clickstream.consumers.analytics.windows import DAY, HOUR
from clickstream.events import AddToCart, AnyEvent, Event, Events, ProductView, Purchase, as_decoded
from clickstream.records.kept import KEPT_WHOLE, kept, kept_hash_key, kept_user
from clickstream.records.routing import HashRange

TIMEOUT = 60
SPAN = DAY
#: Of a session's key: both ids and the line feed.
_WHOLE = 2 * KEPT_WHOLE + 1
#: A shard keeps at most so many sessions, 245 to 400 bytes each. Beyond it the eighth that was seen longest ago starts anew.
MOST_SESSIONS = 1_000_000
#: Expired sessions leave memory when the watermark has moved on by this many minutes.
_SWEEP = 10

_STAGES: dict[type[Event], int] = as_decoded({ProductView: 1, AddToCart: 2, Purchase: 3})
STAGES = max(_STAGES.values())
#: A funnel's counters: stages 1 to 3 of the minute, then of sessions new to the hour, then of sessions new to the day.
COUNTERS = 3 * STAGES
#: By stage (the first is 0): a mark in every minute of the window.
_OF_HOUR, _OF_DAY = (
    [sum(1 << (STAGES * minute + stage) for minute in range(width)) for stage in range(STAGES)] for width in (HOUR, DAY)
)
#: Minutes whose marks fit the 64-bit integers of msgpack.
_SHORT = 64 // STAGES


class Session(msgspec.Struct, array_like=True, gc=False):
    """``marks`` has bit 3·(minute - first) + stage - 1 set where the session was counted; times are minutes."""

    key: str
    """User id, line feed, session id, as they are kept: one text, because a look-up by a pair waits for twice the memory."""
    user_id: str
    """As it is kept."""
    seen: int
    """The watermark at its last event."""
    first: int
    last: int
    stage: int = 0
    marks: int = 0

    def was_counted(self, start: int, width: int, window: int) -> bool:
        """True if it was counted in the window from minute ``start`` on; ``window`` has the bits of its marks at a stage."""
        if start <= self.first and self.last < start + width:
            return self.marks & window != 0  # a window's bits repeat: nothing is shifted, which takes long in a day's
        shift = STAGES * (start - self.first)
        # whichever shift makes the shorter number
        return (self.marks >> shift & window if shift >= 0 else self.marks & window >> -shift) != 0


class SessionsState(msgspec.Struct, array_like=True):
    """Sessions, encoded. Of the ``long`` ones the marks stand beside them, as little-endian bytes."""

    short: list[Session]
    long: list[tuple[Session, bytes]]
    shed: tuple[int, str] = (0, "")
    """Of changes: earlier sessions up to this (seen, key) were forgotten since the changes before."""


class Sessions:
    """The sessions of a shard, and which of them changed since ``changes`` was last called."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self._touched: dict[str, Session] = {}
        self._shed = (0, "")
        self.forgotten = 0
        """Sessions that were forgotten before their time, since this process began."""
        self._swept = 0
        self._minutes: dict[int, int] = {}
        """The sessions' minutes by themselves: one object each, where every event would bring its own."""
        self._counted_at = 0
        self._counted: list[set[str]] = [set() for _ in range(STAGES)]
        """By stage: keys of sessions that are as new as the watermark ``_counted_at`` and have a mark in its own minute."""

    def follow(self, events: Iterable[AnyEvent], minutes: Sequence[int], watermark: int) -> dict[int, list[int]]:
        """Move the sessions on; the funnel's counters by minute. ``minutes[i]`` is of ``events[i]``; they share a watermark."""
        funnel: dict[int, list[int]] = {}
        sessions, touched, counted = self._sessions, self._touched, self._counted
        oldest = watermark - TIMEOUT
        same_minute = self._minutes.setdefault
        watermark = same_minute(watermark, watermark)
        if watermark != self._counted_at:
            self._recount(watermark)
        events = Events.of(events)
        _, users, session_ids, *_ = events.envelopes
        stages = map(_STAGES.get, map(type, events))
        for stage, user, session_id, minute in zip(stages, users, session_ids, minutes, strict=True):
            if stage is None:
                continue
            key = f"{user}\n{session_id}"
            if minute == watermark and key in counted[stage - 1]:
                continue  # again in the same minute, by far the most frequent case: nothing changes
            if len(key) > _WHOLE or not key.isascii():
                key = kept(key, _WHOLE)
            session = sessions.get(key)
            if session is None or session.seen < oldest or not session.last - SPAN < minute < session.first + SPAN:
                minute = same_minute(minute, minute)
                if len(sessions) >= MOST_SESSIONS:
                    self._make_room(watermark)
                if session is not None:
                    self._recount(watermark)
                session = sessions[key] = Session(key, kept_user(user), watermark, minute, minute)
            elif minute < session.first:
                session.marks <<= STAGES * (session.first - minute)
                session.first = same_minute(minute, minute)
            mark = 1 << (STAGES * (minute - session.first) + stage - 1)
            touched[key] = session
            session.seen = watermark
            if minute > session.last:
                session.last = same_minute(minute, minute)
            if stage > session.stage:
                if stage > session.stage + 1:
                    continue
                session.stage = stage
            if minute == watermark:
                counted[stage - 1].add(key)
            if session.marks & mark:
                continue
            counters = funnel.get(minute)
            if counters is None:
                counters = funnel[minute] = [0] * COUNTERS
            counters[stage - 1] += 1
            if not session.marks or not session.was_counted(minute - minute % HOUR, HOUR, _OF_HOUR[stage - 1]):
                counters[STAGES + stage - 1] += 1
                if not session.marks or not session.was_counted(minute - minute % DAY, DAY, _OF_DAY[stage - 1]):
                    counters[2 * STAGES + stage - 1] += 1
            session.marks |= mark
        if watermark >= self._swept + _SWEEP:
            self._sweep(watermark)
        return funnel

    def _recount(self, watermark: int) -> None:
        """Also after a session that may be among ``_counted`` was forgotten or began anew."""
        self._counted_at = watermark
        for each in self._counted:
            each.clear()

    def _sweep(self, watermark: int) -> None:
        self._swept = watermark
        self._minutes = {}
        self._drop([key for key, session in self._sessions.items() if watermark - session.seen > TIMEOUT])

    def _drop(self, keys: Iterable[str]) -> None:
        for key in keys:
            del self._sessions[key]
            self._touched.pop(key, None)

    def _make_room(self, watermark: int) -> None:
        """Whom it meets depends on the events alone: expired sessions, which may be in memory or not, do not count."""
        self._sweep(watermark)
        if len(self._sessions) >= MOST_SESSIONS:
            oldest = heapq.nsmallest(MOST_SESSIONS // 8, ((session.seen, key) for key, session in self._sessions.items()))
            self._drop(key for _, key in oldest)
            self._recount(watermark)
            self._shed = max(self._shed, oldest[-1])
            self.forgotten += len(oldest)

    def changes(self) -> SessionsState:
        """The sessions that changed since the last call, and still last; to be encoded before the next event."""
        touched, self._touched = self._touched, {}
        shed, self._shed = self._shed, (0, "")
        return msgspec.structs.replace(_state(touched.values()), shed=shed)

    def snapshot(self, watermark: int) -> SessionsState:
        """All sessions, earlier changes among them; to be encoded before the next event."""
        self._sweep(watermark)
        self._touched, self._shed = {}, (0, "")
        return _state(self._sessions.values())

    def restore(self, state: SessionsState, keys: HashRange | None) -> None:
        """Take over sessions; with ``keys``, only those of users that hash into the range."""
        self._recount(self._counted_at)
        if state.shed[1]:
            self._drop([key for key, session in self._sessions.items() if (session.seen, key) <= state.shed])
        for session, marks in chain(((session, b"") for session in state.short), state.long):
            session.marks |= int.from_bytes(marks, "little")
            # an earlier version kept ids of any length as they are
            session.key, session.user_id = kept(session.key, _WHOLE), kept_user(session.user_id)
            if keys is None or kept_hash_key(session.user_id) in keys:
                self._sessions[session.key] = session

    def __len__(self) -> int:
        return len(self._sessions)


def _state(sessions: Iterable[Session]) -> SessionsState:
    state = SessionsState([], [])
    for session in sessions:
        if session.last - session.first < _SHORT:
            state.short.append(session)
        else:
            marks = session.marks.to_bytes((session.marks.bit_length() + 7) // 8, "little")
            state.long.append((msgspec.structs.replace(session, marks=0), marks))
    return state
