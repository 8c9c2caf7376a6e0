"""Tumbling event-time windows, counted in whole minutes since the epoch, UTC. Pure arithmetic.

A *watermark* is the latest minute that any event of the shard so far fell into. A window takes events into its *part* 0 until
the watermark is ``RETENTION`` minutes past its end; a later event goes into the part of the current *turn*. A turn is a quarter
of an hour of the watermark, or less when late events are scattered over too many minutes (the fold begins the next one then).
So every part of a window has an end after which it is never touched again, whenever memory is reclaimed, and an event's part
depends on the order of the events alone. A window's value is the sum of its parts.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

MINUTE_MS = 60_000
HOUR = 60
DAY = 24 * HOUR
#: Minutes of event time that a window stays open after its end. Divides an hour, which `of_minute_part` needs.
RETENTION = 15


class Granularity(StrEnum):
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"

    @property
    def minutes(self) -> int:
        return _MINUTES[self]

    @property
    def ms(self) -> int:
        return _MINUTES[self] * MINUTE_MS

    def floor_ms(self, at_ms: int) -> int:
        """The start of the window that holds this moment, in milliseconds."""
        return at_ms - at_ms % self.ms


_MINUTES = {Granularity.MINUTE: 1, Granularity.HOUR: HOUR, Granularity.DAY: DAY}


class Window(NamedTuple):
    """One part of one window of one shard; ``start`` and ``width`` in minutes. Days are never stored: readers add up hours."""

    width: int
    start: int
    late: int

    @property
    def end(self) -> int:
        return self.start + self.width

    def is_settled(self, watermark: int, turn: int) -> bool:
        """True when no further event can fall into this part."""
        return watermark >= self.end + RETENTION if self.late == 0 else turn > self.late

    def hour(self) -> "Window":
        """The hour's part that all events of this minute's part belong to."""
        start = self.start - self.start % HOUR
        if self.late == 0:
            return Window(HOUR, start, 0)
        # A turn is never behind its quarter of watermarks, and hours close on quarters: the quarter's first minute decides.
        return window_of(start, HOUR, (self.late - 1) * RETENTION, self.late)

    @property
    def partition(self) -> str:
        """The table's hash key: a day of minutes, or a month of hours."""
        return partition(self.width, self.start * MINUTE_MS)

    def sort_key(self, shard_id: str) -> str:
        return f"{self.start * MINUTE_MS:014d}#{shard_id}#{self.late}"


def turn_at(watermark: int) -> int:
    """The turn that this watermark has reached at least."""
    return 1 + watermark // RETENTION


def window_of(minute: int, width: int, watermark: int, turn: int) -> Window:
    """The part of the window of ``width`` minutes for an event of ``minute`` under this watermark (its own included)."""
    start = minute - minute % width
    return Window(width, start, 0 if watermark < start + width + RETENTION else turn)


def partition(width: int, start_ms: int) -> str:
    """The hash key of the stored window that starts then."""
    start = datetime.fromtimestamp(start_ms / 1000, UTC)
    return f"minute#{start:%Y-%m-%d}" if width == 1 else f"hour#{start:%Y-%m}"


def partitions(width: int, start_ms: int, end_ms: int) -> list[str]:
    """The hash keys of all windows that start in ``[start_ms, end_ms)``, in order."""
    if start_ms >= end_ms:
        return []
    days = range(Granularity.DAY.floor_ms(start_ms), end_ms, Granularity.DAY.ms)
    return list(dict.fromkeys(partition(width, day_ms) for day_ms in days))


def start_of(sort_key: str) -> int:
    """The window's start in milliseconds, from a row's sort key."""
    return int(sort_key.partition("#")[0])
