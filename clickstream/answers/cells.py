"""The cells of a table: values that add up whatever the order, and whatever the pieces that they are merged from. Pure.

A cell is declared once and keeps nothing itself. Its *state* belongs to one key in one window of one shard; ``pack`` makes a
plain value of it for the store, ``unpack`` the inverse, ``merge`` one state of those of several shards and parts, ``read`` the
answer. Equal additions give equal packed values, however they were cut; those of :class:`Top` must come in the same order too.
"""

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from heapq import nsmallest
from itertools import accumulate
from math import frexp, inf, isfinite
from types import NoneType
from typing import Annotated, Any, Generic, TypeVar, cast
from zlib import crc32

import msgspec

from clickstream.answers.uniques import Uniques
from clickstream.errors import UserMistake

Packed = int | float | bytes | dict[int, int] | list[Any] | None
"""What a row holds of a cell: plain values that MessagePack knows; None: nothing was added yet."""
Number = int | float
S = TypeVar("S")


class Cell(ABC, Generic[S]):
    """``S``: its state, which ``add`` and ``merge`` may change and return; stored as it is, unless a cell packs it."""

    takes: str  #: What ``add`` takes, for people.
    packed: Any  #: The type of what ``pack`` gives.
    empty: Callable[[], S]

    @property
    def kind(self) -> str:
        """What a stored state must have been made by to be read."""
        return type(self).__name__

    @abstractmethod
    def add(self, state: S, value: Any, /) -> S:
        """Raises TypeError, which says what the cell takes."""

    @abstractmethod
    def merge(self, state: S, other: S, /) -> S:
        """``other`` is not changed, and may have become part of the result."""

    def pack(self, state: S, /) -> Any:
        return state

    def unpack(self, packed: Packed, /) -> S:
        """Raises msgspec.MsgspecError when the value is no state of this cell."""
        return cast(S, msgspec.convert(packed, self.packed, builtin_types=(bytes,)))

    def read(self, state: S, /) -> Any:
        """The answer as plain JSON; None when nothing was added."""
        return state

    def _refusal(self, value: object) -> TypeError:
        return TypeError(f"{self.kind} takes {self.takes}, not {value!r:.100}")


class Sum(Cell[int]):
    """The sum of integers, each of at most 10**12 either way: cents, pieces."""

    takes = "an int of at most 10**12 either way"
    packed = int
    empty = int
    _least = -(10**12)

    def add(self, state: int, value: Any, /) -> int:
        if type(value) is int and self._least <= value <= 10**12:
            return state + value
        raise self._refusal(value)

    def merge(self, state: int, other: int, /) -> int:
        return state + other


class Count(Sum):
    """How often: the sum of integers that are not negative, mostly 1."""

    takes = "an int from 0 to 10**12"
    _least = 0


class Max(Cell[Number | None]):
    """The largest number; a float that is a whole number counts as an int."""

    takes = "an int of at most 2**53 either way or a finite float"
    packed = Number | None
    empty = NoneType
    _kept: Callable[[Number, Number], Number] = staticmethod(max)

    def add(self, state: Number | None, value: Any, /) -> Number | None:
        if type(value) is float and isfinite(value):
            value = int(value) if value.is_integer() and abs(value) <= 2**53 else value
        elif type(value) is not int or not -(2**53) <= value <= 2**53:
            raise self._refusal(value)
        return value if state is None else self._kept(state, value)

    def merge(self, state: Number | None, other: Number | None, /) -> Number | None:
        if state is None or other is None:
            return other if state is None else state
        return self._kept(state, other)


class Min(Max):
    """The smallest number."""

    _kept = staticmethod(min)


class Distinct(Cell[Uniques]):
    """How many different texts: exact up to some hundreds, then by a sketch with a standard error of 1.63 %."""

    takes = "a str that is not empty"
    packed = bytes
    empty = Uniques

    def add(self, state: Uniques, value: Any, /) -> Uniques:
        if type(value) is not str or not value:  # which a sketch would leave out
            raise self._refusal(value)
        state.keys.add(value)
        return state

    def merge(self, state: Uniques, other: Uniques, /) -> Uniques:
        state.merge(other)
        return state

    def pack(self, state: Uniques, /) -> Packed:
        return state.to_bytes()

    def unpack(self, packed: Packed, /) -> Uniques:
        return Uniques(msgspec.convert(packed, bytes, builtin_types=(bytes,)))

    def read(self, state: Uniques, /) -> int:
        return round(state.estimate().value)


#: Buckets between two powers of two, of one width, chosen by a number's bits: their ends' harmonic mean is within 1 % of all.
_EACH_OCTAVE = 50
#: The bucket of numbers below 2**-32. Those from 2**64 on count as 2**64: at most 5,000 buckets.
_ZERO = -(2**20)


class Quantiles(Cell[dict[int, int]]):
    """A histogram of numbers that are not negative, read at these quantiles: each answer within 1 % of one that is exact."""

    takes = "a number from 0 on"
    packed = dict[int, int]
    empty = dict

    def __init__(self, *at: float) -> None:
        self.at = at or (0.5, 0.9, 0.99)
        if not all(type(each) in (int, float) and 0 <= each <= 1 for each in self.at):
            raise UserMistake(f"Quantiles{at}: a quantile is a number from 0 to 1", "Quantiles(0.5, 0.99)")

    def add(self, state: dict[int, int], value: Any, /) -> dict[int, int]:
        if type(value) not in (int, float) or not 0 <= value < inf:
            raise self._refusal(value)
        mantissa, exponent = frexp(min(value, 2.0**64))
        bucket = exponent * _EACH_OCTAVE + int((2 * mantissa - 1) * _EACH_OCTAVE) if value >= 2.0**-32 else _ZERO
        state[bucket] = state.get(bucket, 0) + 1
        return state

    def merge(self, state: dict[int, int], other: dict[int, int], /) -> dict[int, int]:
        for bucket, count in other.items():
            state[bucket] = state.get(bucket, 0) + count
        return state

    def pack(self, state: dict[int, int], /) -> Packed:
        return dict(sorted(state.items()))

    def read(self, state: dict[int, int], /) -> dict[str, float] | None:
        return {f"{at:g}": self.quantile(state, at) for at in self.at} if state else None

    def quantile(self, state: dict[int, int], at: float) -> float:
        """The number that this share of all numbers does not exceed, within 1 %; ``state`` is not empty."""
        buckets, counts = zip(*sorted(state.items()), strict=True)
        bucket = buckets[bisect_right(list(accumulate(counts)), at * (sum(counts) - 1))]
        if bucket == _ZERO:
            return 0.0
        exponent, step = divmod(bucket, _EACH_OCTAVE)
        low, high = 1 + step / _EACH_OCTAVE, 1 + (step + 1) / _EACH_OCTAVE
        return float(2.0**exponent * low * high / (low + high))


#: What the keys of one table's cells :class:`Top` may take of a row, of which DynamoDB allows 400 KB in all.
TOP_BYTES = 64 * 1024
#: A key's count, and its length, as MessagePack has them at most.
_BESIDE_KEY = 12


class Counted(msgspec.Struct, array_like=True):
    """Of one part: keys that are counted singly, what they take, and few counters for all others, none while all keys fit."""

    counts: dict[str, int]
    beyond: dict[int, int]
    taken: int = 0


class Top(Cell[list[Counted]]):
    """The ``n`` keys with the highest counts. A value is a key, or a key with what to add for it: ``("shoes", 3)``.

    Bounded: the first ``20 n`` (at least 200) keys of a row to come, of 64 KB in all, are counted singly; a later one adds to
    one of 64 counters, which its hash chooses, and has no more than that counter. So the truth is from ``count`` to ``most``,
    and the two are the same, and exact, for every key that came in time in all shards and parts, as the popular ones do.
    """

    takes = "a str, or a str with an int from 0 to 10**12"
    packed = Annotated[list[Counted], msgspec.Meta(min_length=1)]
    empty = staticmethod(lambda: [Counted({}, {})])

    def __init__(self, n: int) -> None:
        if type(n) is not int or not 1 <= n <= 500:
            raise UserMistake(f"Top({n!r}): how many keys is an int from 1 to 500", "Top(10)")
        self.n, self.capacity, self.most_bytes = n, max(20 * n, 200), TOP_BYTES

    def add(self, state: list[Counted], value: Any, /) -> list[Counted]:
        key, weight = value if type(value) is tuple and len(value) == 2 else (value, 1)
        if type(key) is not str or type(weight) is not int or not 0 <= weight <= 10**12:
            raise self._refusal(value)
        part = state[0]
        if key in part.counts:
            part.counts[key] += weight
        elif len(part.counts) < self.capacity and part.taken + (takes := len(key.encode()) + _BESIDE_KEY) <= self.most_bytes:
            part.counts[key] = weight
            part.taken += takes
        else:
            counter = _counter(key)
            part.beyond[counter] = part.beyond.get(counter, 0) + weight
        return state

    def merge(self, state: list[Counted], other: list[Counted], /) -> list[Counted]:
        return [*state, *other]

    def pack(self, state: list[Counted], /) -> Packed:
        return [Counted(part.counts.copy(), part.beyond.copy(), part.taken) for part in state]

    def read(self, state: list[Counted], /) -> list[dict[str, str | int]]:
        """The first ``n`` by count descending, then key ascending."""
        counts = Counter[str]()
        for part in state:
            counts.update(part.counts)
        first = nsmallest(self.n, counts.items(), key=lambda entry: (-entry[1], entry[0]))
        return [{"key": key, "count": count, "most": count + self._missed(state, key)} for key, count in first]

    def _missed(self, state: list[Counted], key: str) -> int:
        return sum(part.beyond.get(_counter(key), 0) for part in state if key not in part.counts)


def _counter(key: str) -> int:
    return crc32(key.encode()) % 64
