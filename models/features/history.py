"""What one key did: observations in order of time, and of arrival among equal times. Bounded and compact. Pure."""

from __future__ import annotations

import hashlib
import math
import sys
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache

#: Doubles hold integers of so many bits.
_CODE_BITS = 53

Value = float | int | str | None


@lru_cache(maxsize=8_192)
def _code(text: str) -> float:
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return float(int.from_bytes(digest, "big") >> (64 - _CODE_BITS))


def number(value: Value) -> float:
    """A field's value as a double: text as a 53-bit hash (equal texts, equal numbers), NaN for what is missing."""
    if isinstance(value, str):
        return _code(value) if value else math.nan
    return math.nan if value is None else float(value)


class History:
    """One key's observations. ``values`` has ``width`` numbers per observation, one observation after the other."""

    __slots__ = ("times", "values")

    def __init__(self, times: array[int] | None = None, values: array[float] | None = None) -> None:
        self.times: array[int] = array("q") if times is None else times
        self.values: array[float] = array("d") if values is None else values

    @classmethod
    def of(cls, time_ms: int, values: Sequence[float]) -> History:
        """A first observation."""
        return cls(array("q", (time_ms,)), array("d", values))

    def insert(self, time_ms: int, values: Sequence[float]) -> None:
        """Add an observation behind those of the same time."""
        index = bisect_right(self.times, time_ms)
        self.times.insert(index, time_ms)
        at = index * len(values)
        self.values[at:at] = array("d", values)

    def trim(self, cutoff_ms: int, most: int, width: int) -> None:
        """Forget the observations up to the cutoff, and the oldest until at most ``most`` are left."""
        times = self.times
        if not times or (times[0] > cutoff_ms and len(times) <= most):
            return
        drop = max(bisect_right(times, cutoff_ms), len(times) - most)
        del times[:drop]
        del self.values[: drop * width]

    def column(self, column: int, width: int, start: int, stop: int) -> list[float]:
        """The values of one column in a slice, without the missing ones."""
        return [value for value in self.values[start * width + column : stop * width : width] if value == value]

    def encoded(self) -> tuple[bytes, bytes]:
        """Times and values as little-endian bytes."""
        return _little_endian(self.times), _little_endian(self.values)

    @classmethod
    def decoded(cls, times: bytes, values: bytes) -> History:
        history = cls()
        history.times.frombytes(times)
        history.values.frombytes(values)
        if sys.byteorder == "big":
            history.times.byteswap()
            history.values.byteswap()
        return history


def _little_endian(numbers: array[int] | array[float]) -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()
