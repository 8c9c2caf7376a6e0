"""Analytics as a fold over one shard: events in, rows of the aggregates table out. Pure.

Minutes and hours are accumulated; days are the readers' sums of hours. What came since the last commit is *fresh*, and is
merged into the totals when a commit *settles* it, so that a commit's changes are exactly the fresh partials.

To count every event in its minute and once more in its hour would cost twice the time. So hours are *deferred*: they receive
what their minutes have counted, when that is settled::

                     apply, per event                 settle, per commit
                                        ┌───────────────────────────────> minute.total ──> row of the minute
    events ──> minute.fresh ────────────┤
       ·                                └──> hour.fresh ──> hour.total ──> row of the hour, every ninth commit or at a flush
       ·                                         ^
       └ · · · · · · · · · · · · · · · · · · · · ┘  event by event, once a tally may be full

A tally counts the first keys to come singly, and all others in a few buckets. While every key fits, the order in which keys
reach the hour does not matter, and they may wait in their minutes. Once the keys that wait (``waiting``: no fewer than there
are) and those of the next batch might fill a tally, what waits is settled first; from then until the next settlement hours are
counted event by event, in shard order. So which keys an hour counts singly depends on the order of the events alone, never on
when a commit came. Users (a sketch) and the funnel have no order: users always come from the minutes, the funnel is counted in
both.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from heapq import nlargest

import msgspec

from clickstream.answers.uniques import Uniques
from clickstream.application import Held, Inheritance
from clickstream.consumers.analytics.aggregate_rows import Row, moving, row
from clickstream.consumers.analytics.counting.partial import Columns, Partial, capacity, columns
from clickstream.consumers.analytics.counting.sessions import Sessions, SessionsState
from clickstream.consumers.analytics.windows import HOUR, MINUTE_MS, RETENTION, Window, turn_at, window_of
from clickstream.events import AnyEvent, Events

#: Hours hold many keys, and minutes behind the watermark and the one before change little: without a flush their rows are due
#: with every ninth commit only.
REST_EVERY = 9
#: Windows whose counters are shown between two commits, if they have room in one row: minutes and hours, newest first.
_MOST_MOVING = 8
#: Late events of one turn lie in at most so many minutes. An event that is alone in its minute and hour costs 6 kB.
MOST_LATE = 10_000


class State(msgspec.Struct, array_like=True):
    watermark: int
    windows: list[tuple[Window, Partial]]
    sessions: SessionsState
    turn: int = 0
    due: list[Window] | None = None
    """Whose rows were not given out by then; a state of a version before does not say."""


class _Accumulator:
    __slots__ = ("fresh", "total", "waiting")

    def __init__(self) -> None:
        self.total = Partial()
        self.fresh: Partial | None = None
        self.waiting = 0
        """Of an hour: at most so many keys per tally are counted in fresh minutes and not yet here."""

    def growing(self) -> Partial:
        if self.fresh is None:
            self.fresh = Partial()
        return self.fresh

    def has_room(self, keys: int, limit: int) -> bool:
        """True when so many more keys, and those that wait, can be counted singly, whatever their order."""
        fresh = self.fresh or Partial()
        return fresh.has_room(self.waiting + keys, self.total, limit)


_EMPTY = _Accumulator()


class AnalyticsFold:
    """See ``clickstream.application.Fold``."""

    def __init__(self, shard_id: str) -> None:
        self._shard_id = shard_id
        self._watermark = 0
        self._turn = 0
        self._late: set[int] = set()
        """The minutes that have a window of this turn."""
        self._sessions = Sessions()
        self._windows: defaultdict[Window, _Accumulator] = defaultdict(_Accumulator)
        self._growing: dict[Window, _Accumulator] = {}
        self._hours_deferred = True
        """Whether hours are deferred (see above)."""
        self._unsent: list[tuple[Window, Partial]] = []
        self._due: dict[Window, None] = {}
        """Windows that changed since their row was last given out."""
        self._commits = 0

    def apply(self, events: Sequence[AnyEvent]) -> None:
        if not events:
            return
        events = Events.of(events)
        times = events.envelopes.occurred_ms
        first, last = min(times) // MINUTE_MS, max(times) // MINUTE_MS
        minutes = [first] * len(times) if first == last else [time // MINUTE_MS for time in times]
        for start, stop, watermark in _steps(minutes, self._watermark):
            self._watermark = watermark
            if turn_at(watermark) > self._turn:
                self._turn, self._late = turn_at(watermark), set()
            for begin, end in [(start, stop)] if self._in_time(first) else self._turns(minutes, start, stop):
                if end - begin == len(events):
                    self._apply_step(events, minutes, watermark)
                else:
                    self._apply_step(Events(events[begin:end]), minutes[begin:end], watermark)

    def _in_time(self, minute: int) -> bool:
        return self._watermark < minute + 1 + RETENTION

    def _turns(self, minutes: Sequence[int], start: int, stop: int) -> Iterator[tuple[int, int]]:
        """Slices of one turn each: with the late minute that would be one too many the next turn begins."""
        late = {minute for minute in set(minutes[start:stop]) if not self._in_time(minute)}
        if len(late | self._late) > MOST_LATE:
            for index in range(start, stop):
                if (minute := minutes[index]) in late and minute not in self._late:
                    if len(self._late) == MOST_LATE:
                        if index > start:
                            yield start, index
                            start = index
                        self._turn, self._late = self._turn + 1, set()
                    self._late.add(minute)
        else:
            self._late |= late
        yield start, stop

    def _apply_step(self, events: Events, minutes: Sequence[int], watermark: int) -> None:
        """Events of one watermark. Only the hours' tallies and the sessions care for their order across minutes."""
        by_hour: dict[Window, dict[int, Columns]] = {}
        for minute, group in _by_minute(events, minutes):
            hour = self._window(minute).hour()
            by_hour.setdefault(hour, {})[minute] = columns(group)
        if self._hours_deferred and not all(self._has_room(hour, parts) for hour, parts in by_hour.items()):
            self._settle()
            self._hours_deferred = False
        for hour, parts in by_hour.items():
            for minute, part in parts.items():
                accumulator = self._grow(self._window(minute))
                fresh = accumulator.growing()
                fresh.add(part, accumulator.total, capacity(1))
                fresh.uniques.add(part.users)
            if self._hours_deferred:
                self._grow(hour).waiting += sum(part.most_keys for part in parts.values())
            else:
                self._add_to_hour(hour, parts, events, minutes)
        for minute, counters in self._sessions.follow(events, minutes, watermark).items():
            window = self._window(minute)
            self._grow(window).growing().add_funnel(counters)
            self._grow(window.hour()).growing().add_funnel(counters)

    def _window(self, minute: int) -> Window:
        return window_of(minute, 1, self._watermark, self._turn)

    def _has_room(self, hour: Window, parts: dict[int, Columns]) -> bool:
        """True when every key can be counted singly in its minute and in its hour, so that their order does not matter."""
        keys = {self._window(minute): part.most_keys for minute, part in parts.items()}
        keys[hour] = sum(keys.values())
        return all(self._windows.get(window, _EMPTY).has_room(most, capacity(window.width)) for window, most in keys.items())

    def _add_to_hour(self, hour: Window, parts: dict[int, Columns], events: Sequence[AnyEvent], minutes: Sequence[int]) -> None:
        accumulator = self._grow(hour)
        fresh, total = accumulator.growing(), accumulator.total
        limit = capacity(HOUR)
        if len(parts) > 1 and not fresh.has_room(sum(part.most_keys for part in parts.values()), total, limit):
            # a full tally admits keys in shard order, so the minutes may not be added one after the other
            parts = {0: columns([event for event, minute in zip(events, minutes, strict=True) if minute in parts])}
        for part in parts.values():
            fresh.add(part, total, limit)

    def _grow(self, window: Window) -> _Accumulator:
        accumulator = self._growing.get(window)
        if accumulator is None:
            accumulator = self._growing[window] = self._windows[window]
        return accumulator

    def _settle(self) -> None:
        """Merge what is fresh into the totals."""
        growing, self._growing = self._growing, {}
        for window, accumulator in growing.items():
            if window.width == 1 and accumulator.fresh is not None:
                hour = growing[window.hour()].growing()
                hour.uniques.merge(accumulator.fresh.uniques)
                if self._hours_deferred:
                    hour.merge_counts(accumulator.fresh)
        self._hours_deferred = True
        for window, accumulator in growing.items():
            if accumulator.fresh is not None:
                accumulator.total.merge(accumulator.fresh)
                self._unsent.append((window, accumulator.fresh))
                accumulator.fresh = None
                accumulator.waiting = 0
                self._due[window] = None

    def effects(self, *, flush: bool) -> Sequence[Row]:
        self._settle()
        self._commits += 1
        with_rest = flush or self._commits % REST_EVERY == 0 or len(self._windows) > MOST_LATE
        given = [window for window in self._due if with_rest or (window.width == 1 and window.end >= self._watermark)]
        rows = [row(window, self._shard_id, self._windows[window].total) for window in given]
        for window in given:
            del self._due[window]
        self._forget()
        return [*rows, *self._moving()]

    def preview(self) -> Sequence[Row]:
        """Counters alone, of the newest windows that changed since their rows were given out."""
        self._settle()
        return self._moving()

    def _moving(self) -> list[Row]:
        newest = nlargest(_MOST_MOVING, (window for window in self._due if window.late == 0), key=lambda window: window.end)
        return [moving(self._shard_id, ((window, self._windows[window].total) for window in newest))] if newest else []

    @property
    def holds_back(self) -> Held:
        """Of the windows that changed, whose rows were not given out."""
        of = {window.width for window in (*self._due, *self._growing)}
        return Held.MINUTES if 1 in of else Held.HOURS if of else Held.NOTHING

    @property
    def forgotten(self) -> int:
        """Sessions, since this process began."""
        return self._sessions.forgotten

    def _forget(self) -> None:
        """Drop the windows that no event can touch again and whose rows were given out."""
        for window in [window for window in self._windows if window.is_settled(self._watermark, self._turn)]:
            if window not in self._due and window not in self._growing:
                del self._windows[window]

    def changes(self) -> bytes:
        self._settle()
        unsent, self._unsent = self._unsent, []
        return _encoder.encode(State(self._watermark, unsent, self._sessions.changes(), self._turn, [*self._due]))

    def snapshot(self) -> bytes:
        self._settle()
        self._unsent = []
        windows = [(window, accumulator.total) for window, accumulator in self._windows.items()]
        sessions = self._sessions.snapshot(self._watermark)
        return _encoder.encode(State(self._watermark, windows, sessions, self._turn, [*self._due]))

    def restore(self, state: bytes, inheritance: Inheritance | None) -> None:
        """Raises msgspec.MsgspecError when the bytes are no state of this application."""
        decoded = _decoder.decode(state)
        self._watermark = max(self._watermark, decoded.watermark)
        self._turn = max(self._turn, decoded.turn, turn_at(self._watermark))
        self._sessions.restore(decoded.sessions, None if inheritance is None else inheritance.keys)
        if inheritance is not None:
            return  # the parent's rows stay; this shard adds its own
        for window, partial in decoded.windows:
            self._windows[window].total.merge(partial)
        if decoded.due is None:
            self._due |= dict.fromkeys(window for window, _ in decoded.windows)  # any row may have been held back
        else:
            self._due = dict.fromkeys(decoded.due)  # of a chain of changes the last one knows
        self._late = {window.start for window in self._windows if window.width == 1 and window.late == self._turn}


# MessagePack knows no sketches, and msgspec no counters when it decodes
_encoder = msgspec.msgpack.Encoder(enc_hook=Uniques.to_bytes)
_decoder = msgspec.msgpack.Decoder(State, dec_hook=lambda kind, value: kind(value))


def _steps(minutes: Sequence[int], watermark: int) -> Iterator[tuple[int, int, int]]:
    """Slices ``(start, stop, watermark)`` of the events between two moves of the watermark."""
    start = 0
    if max(minutes) > watermark:
        for index, minute in enumerate(minutes):
            if minute > watermark:
                if index > start:
                    yield start, index, watermark
                    start = index
                watermark = minute
    yield start, len(minutes), watermark


def _by_minute(events: Events, minutes: Sequence[int]) -> Iterator[tuple[int, Events]]:
    if minutes.count(minutes[0]) == len(minutes):
        yield minutes[0], events
        return
    groups: defaultdict[int, Events] = defaultdict(Events)
    for event, minute in zip(events, minutes, strict=True):
        groups[minute].append(event)
    yield from groups.items()
