"""What one key did, as immutable bytes: observations in order of time, and of arrival among equal times. Bounded. Pure.

An observation is its time (ms since the epoch, not negative) and its columns, as big-endian doubles. Such numbers compare as
bytes as they do as numbers, so order is kept without unpacking; and a snapshot, or a part for other shards, is the bytes.
"""

from __future__ import annotations

import heapq
import math
import struct
import sys
from array import array
from hashlib import blake2b

#: Doubles hold integers of so many bits.
_CODE_BITS = 53
#: Of a time.
_TIME = struct.Struct(">d")
TIME_SIZE = _TIME.size

Value = float | int | str | None


def number(value: Value) -> float:
    """A field's value as a double: text as a 53-bit hash (equal texts, equal numbers), NaN for what is missing."""
    if isinstance(value, str):
        if not value:
            return math.nan
        digest = blake2b(value.encode(), digest_size=8).digest()
        return float(int.from_bytes(digest, "big") >> (64 - _CODE_BITS))
    return math.nan if value is None else float(value)


def limit(time_ms: int) -> bytes:
    """A time to compare histories with; before the epoch, where nothing is, less than all."""
    return _TIME.pack(time_ms) if time_ms >= 0 else b""


def numbers(history: bytes) -> array[float]:
    """All that a history holds, one observation after the other."""
    flat = array("d", history)
    if sys.byteorder == "little":
        flat.byteswap()
    return flat


class Layout:
    """The observations of a track of ``width`` columns, of which a key keeps at most ``most``.

    ``pack(time_ms, *columns)`` is one observation; ``size`` its bytes, ``full`` those of a history that takes no more.
    """

    __slots__ = ("full", "pack", "size")

    def __init__(self, width: int, most: int) -> None:
        record = struct.Struct(f">{1 + width}d")
        self.pack = record.pack
        self.size = record.size
        self.full = most * record.size

    def added(self, history: bytes, record: bytes) -> bytes:
        """With one observation more, behind those of the same time; when it is full, without the oldest."""
        size = self.size
        if len(history) >= self.full:
            history = history[len(history) - self.full + size :]
        if history[-size:] <= record:  # nearly always
            return history + record
        at = self._after(history, record[:TIME_SIZE])
        return history[:at] + record + history[at:]

    def later(self, history: bytes, cutoff: bytes) -> bytes:
        """Without the observations up to the cutoff (see :func:`limit`)."""
        return history if history[:TIME_SIZE] > cutoff else history[self._after(history, cutoff) :]

    def latest(self, history: bytes, time: bytes) -> bytes:
        """The last observation up to a time; nothing when there is none."""
        stop = self._after(history, time)
        return history[max(stop - self.size, 0) : stop]

    def sweep(self, histories: dict[str, bytes], cutoff: bytes) -> None:
        """Take what is up to the cutoff out of the histories of all keys, and the keys of which nothing is left."""
        for key in [key for key, history in histories.items() if history[:TIME_SIZE] <= cutoff]:
            left = self.later(histories[key], cutoff)
            if left:
                histories[key] = left
            else:
                del histories[key]

    def shed(self, histories: dict[str, bytes], count: int) -> None:
        """Forget so many keys: those whose last observations are the oldest."""
        size = self.size
        for _, key in heapq.nsmallest(count, ((history[-size:], key) for key, history in histories.items())):
            del histories[key]

    def _after(self, history: bytes, time: bytes) -> int:
        """Where the observations after a time begin."""
        size = self.size
        at = len(history)
        while at and history[at - size : at - size + TIME_SIZE] > time:
            at -= size
        return at
