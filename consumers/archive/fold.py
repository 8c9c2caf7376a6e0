"""The archive as a fold over one shard: events in, the contents of files out. Pure.

The shard's events are numbered as they are folded, and cut into chunks of so many events or bytes. A file holds the events
of one chunk that occurred in one hour; of a chunk that comes to too many hours, the rest is in one file more
(:data:`SCATTERED`), since a client sets the times and a file costs some milliseconds. What is in a file
therefore follows from its name and the shard's log alone: whoever replays the log, in whatever batches, writes the same
files. While its chunk is open a file may be written more than once, each time with more events.
"""

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from clickstream.application import Inheritance
from clickstream.events import AnyEvent, encode

#: A chunk is full with so many events, or bytes of JSON: what a shard holds in memory. Files are named by the chunk's number,
#: so reading a stream again with other sizes needs another bucket.
CHUNK_EVENTS = 20_000
CHUNK_BYTES = 16 * 1024 * 1024
#: A file of an open chunk is not written with fewer events unless the shard is quiet, and then each time it has doubled:
#: all its versions together are at most twice the last one.
FIRST_WRITE = 256
HOUR_MS = 3_600_000
#: Hours of a chunk that have a file of their own: any hours up to the first bound, beyond it only the last ones that the
#: shard has come to, so that strange times do not take them their files.
MOST_OLD_HOURS = 64
MOST_HOURS = 128
RECENT_HOURS = 48
#: A chunk that has come to the most hours is full with so many events: a small shop's archive stays in order, and of
#: 20,000 events at the most 1,290 files are made.
FEWEST_EVENTS = 2_000
#: The hour under which a chunk's other events are filed, before any event's own.
SCATTERED = 0


class Part(msgspec.Struct, frozen=True, gc=False):
    """A file's content: the events of ``chunk`` that occurred in ``hour`` (hours since the epoch, UTC), in shard order.

    A line is an event's JSON object with its number in the shard as ``ordinal``. ``complete``: no later version has more.
    """

    hour: int
    chunk: int
    lines: tuple[bytes, ...]
    complete: bool


class Lines(msgspec.Struct, frozen=True, array_like=True):
    """Of one chunk, those from the ``ordinal``-th event of the shard on: (hour, line) each. ``latest``: the latest hour that
    the shard has come to."""

    chunk: int
    ordinal: int
    lines: Sequence[tuple[int, bytes]]
    latest: int = 0


class ArchiveFold:
    """See ``clickstream.application.Fold``; its effects are :class:`Part`."""

    def __init__(self, *, chunk_events: int = CHUNK_EVENTS, chunk_bytes: int = CHUNK_BYTES) -> None:
        self._chunk_events, self._chunk_bytes = chunk_events, chunk_bytes
        self._latest = 0
        self._folded = 0
        """Events of the shard so far; the next one's ordinal."""
        self._complete: list[Part] = []
        self._begin_chunk(0)

    def _begin_chunk(self, number: int) -> None:
        self._chunk = number
        self._bytes = 0
        self._open: dict[int, list[bytes]] = defaultdict(list)
        """Hour → lines."""
        self._log: list[tuple[int, bytes]] = []
        """The chunk in shard order."""
        self._told = 0
        """How much of ``_log`` is in changes or snapshots that were taken."""
        self._written: dict[int, int] = defaultdict(int)
        """Hour → how many lines the last emitted version of its file had."""

    def apply(self, events: Sequence[AnyEvent]) -> None:
        for event in events:
            line = b'{"ordinal":%d,' % self._folded + encode(event)[1:]
            self._append(self._filed(event.occurred_at // HOUR_MS), line)

    def _filed(self, hour: int) -> int:
        self._latest = max(self._latest, hour)
        most = MOST_HOURS if hour > self._latest - RECENT_HOURS else MOST_OLD_HOURS
        return hour if hour in self._open or len(self._open) < most else SCATTERED

    def _append(self, hour: int, line: bytes) -> None:
        self._open[hour].append(line)
        self._log.append((hour, line))
        self._folded += 1
        self._bytes += len(line)
        events = FEWEST_EVENTS if len(self._open) >= MOST_HOURS else self._chunk_events
        if len(self._log) >= events or self._bytes >= self._chunk_bytes:
            self._complete += [Part(each, self._chunk, tuple(lines), complete=True) for each, lines in self._open.items()]
            self._begin_chunk(self._chunk + 1)

    def effects(self, *, flush: bool) -> Sequence[Part]:
        parts, self._complete = self._complete, []
        for hour, lines in self._open.items():
            written = self._written[hour]
            if len(lines) >= max(FIRST_WRITE, 2 * written) or (flush and len(lines) > written):
                self._written[hour] = len(lines)
                parts.append(Part(hour, self._chunk, tuple(lines), complete=False))
        return parts

    def changes(self) -> bytes:
        return self._encoded(self._told)

    def snapshot(self) -> bytes:
        return self._encoded(0)

    def _encoded(self, start: int) -> bytes:
        self._told = len(self._log)
        ordinal = self._folded - len(self._log) + start
        return msgspec.msgpack.encode(Lines(self._chunk, ordinal, self._log[start:], self._latest))

    def restore(self, state: bytes, inheritance: Inheritance | None) -> None:
        """Raises msgspec.MsgspecError when the bytes are no state of this application.

        Nothing is inherited: a parent has written all its files before its children begin.
        """
        if inheritance is not None:
            return
        stored = _decoder.decode(state)
        if stored.chunk != self._chunk:
            # the chunk before was completed, and written before this link was committed
            self._begin_chunk(stored.chunk)
        self._folded = stored.ordinal
        self._latest = stored.latest
        for hour, line in stored.lines:
            self._append(hour, line)
        self._told = len(self._log)


_decoder = msgspec.msgpack.Decoder(Lines)
