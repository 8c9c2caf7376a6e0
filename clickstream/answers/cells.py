"""The cells of a table: values that add up whatever the order, and whatever the pieces that they are merged from. Pure.

A cell is declared once and keeps nothing itself. Its *state* belongs to one key in one window of one shard; ``pack`` makes a
plain value of it for the store, ``unpack`` the inverse, ``merge`` one state of those of several shards and parts, ``read`` the
answer. Equal additions give equal packed values, however they were cut; those of :class:`Top` must come in the same order too.
"""

from abc import ABC, abstractmethod
from heapq import nsmallest
from math import frexp, inf
from typing import Any, Generic, NamedTuple, TypeVar, cast
from zlib import crc32

import msgspec

from clickstream.answers.uniques import Uniques

Packed = int | float | bytes | list[Any] | None
"""What a row holds of a cell: plain values that MessagePack knows; None: nothing was added yet."""


S = TypeVar("S")


class Cell(ABC, Generic[S]):
    """``S``: its state, which ``add`` and ``merge`` may change and return."""

    @property
    def kind(self) -> str:
        """What a stored state must have been made by to be read."""
        return type(self).__name__

    is_plain = False
    """Whether ``pack`` gives the state as it is."""

    @abstractmethod
    def empty(self) -> S: ...

    @abstractmethod
    def add(self, state: S, value: Any, /) -> S:
        """Raises TypeError, which says what the cell takes."""

    @abstractmethod
    def merge(self, state: S, other: S, /) -> S:
        """``other`` is not changed, and may have become part of the result."""

    @abstractmethod
    def pack(self, state: S, /) -> Packed: ...

    @abstractmethod
    def unpack(self, packed: Packed, /) -> S:
        """Raises msgspec.MsgspecError when the value is no state of this cell."""

    @abstractmethod
    def read(self, state: S, /) -> Any:
        """The answer as plain JSON; None when nothing was added."""

    def _refusal(self, what: str, value: object) -> TypeError:
        return TypeError(f"{self.kind} takes {what}, not {value!r:.100}")


class Sum(Cell[int]):
    """The sum of integers, each of at most 10**12 either way: cents, pieces."""

    is_plain = True

    def empty(self) -> int:
        return 0

    def add(self, state: int, value: Any, /) -> int:
        if type(value) is int and -(10**12) <= value <= 10**12:
            return state + value
        raise self._refusal("an int of at most 10**12 either way", value)

    def merge(self, state: int, other: int, /) -> int:
        return state + other

    def pack(self, state: int, /) -> Packed:
        return state

    def unpack(self, packed: Packed, /) -> int:
        return msgspec.convert(packed, int)

    def read(self, state: int, /) -> int:
        return state


class Count(Sum):
    """How often: the sum of integers that are not negative, mostly 1."""

    def add(self, state: int, value: Any, /) -> int:
        if type(value) is int and 0 <= value <= 10**12:
            return state + value
        raise self._refusal("an int from 0 to 10**12", value)


Number = int | float


class Max(Cell[Number | None]):
    """The largest number; a float that is a whole number counts as an int."""

    is_plain = True

    def empty(self) -> Number | None:
        return None

    def add(self, state: Number | None, value: Any, /) -> Number | None:
        if type(value) is not int or not -(2**53) <= value <= 2**53:
            value = self._number(value)
        return value if state is None or value > state else state

    def _number(self, value: Any) -> Number:
        if type(value) is not float or not -inf < value < inf:
            raise self._refusal("an int of at most 2**53 either way or a finite float", value)
        return int(value) if value.is_integer() and abs(value) <= 2**53 else value

    def merge(self, state: Number | None, other: Number | None, /) -> Number | None:
        if state is None or other is None:
            return other if state is None else state
        return max(state, other)

    def pack(self, state: Number | None, /) -> Packed:
        return state

    def unpack(self, packed: Packed, /) -> Number | None:
        return cast(Number | None, msgspec.convert(packed, int | float | None))

    def read(self, state: Number | None, /) -> Number | None:
        return state


class Min(Max):
    """The smallest number."""

    def add(self, state: Number | None, value: Any, /) -> Number | None:
        if type(value) is not int or not -(2**53) <= value <= 2**53:
            value = self._number(value)
        return value if state is None or value < state else state

    def merge(self, state: Number | None, other: Number | None, /) -> Number | None:
        if state is None or other is None:
            return other if state is None else state
        return min(state, other)


class Distinct(Cell[Uniques]):
    """How many different texts: exact up to some hundreds, then by a sketch with a standard error of 1.63 %."""

    def empty(self) -> Uniques:
        return Uniques()

    def add(self, state: Uniques, value: Any, /) -> Uniques:
        if type(value) is not str:
            raise self._refusal("a str", value)
        state._keys.add(value)
        return state

    def merge(self, state: Uniques, other: Uniques, /) -> Uniques:
        state.merge(other)
        return state

    def pack(self, state: Uniques, /) -> Packed:
        return state.to_bytes()

    def unpack(self, packed: Packed, /) -> Uniques:
        uniques = Uniques()
        try:
            uniques.merge_bytes(msgspec.convert(packed, bytes, builtin_types=(bytes,)))
        except ValueError as error:
            raise msgspec.ValidationError(str(error)) from error
        return uniques

    def read(self, state: Uniques, /) -> int:
        return round(state.estimate().value)


#: Buckets between two powers of two, all of one width: the harmonic mean of a bucket's ends is within 1 % of all that it holds.
_EACH_OCTAVE = 50
#: Numbers below 2**-32 count as 0, those from 2**64 on as 2**64: at most 5,000 buckets.
_LEAST, _MOST = 2.0**-32, 2.0**64
_ZERO = -(2**20)


class Quantiles(Cell[dict[int, int]]):
    """A histogram of numbers that are not negative, read at these quantiles: each answer within 1 % of one that is exact.

    The buckets follow from a number's bits alone, so that all machines agree.
    """

    def __init__(self, *at: float) -> None:
        self.at = at or (0.5, 0.9, 0.99)

    def empty(self) -> dict[int, int]:
        return {}

    def add(self, state: dict[int, int], value: Any, /) -> dict[int, int]:
        if type(value) not in (int, float) or not 0 <= value < inf:
            raise self._refusal("a number from 0 on", value)
        if value < _LEAST:
            bucket = _ZERO
        else:
            mantissa, exponent = frexp(min(value, _MOST))
            bucket = exponent * _EACH_OCTAVE + int((2 * mantissa - 1) * _EACH_OCTAVE)
        state[bucket] = state.get(bucket, 0) + 1
        return state

    def merge(self, state: dict[int, int], other: dict[int, int], /) -> dict[int, int]:
        for bucket, count in other.items():
            state[bucket] = state.get(bucket, 0) + count
        return state

    def pack(self, state: dict[int, int], /) -> Packed:
        buckets = sorted(state)
        return [buckets, [state[bucket] for bucket in buckets]]

    def unpack(self, packed: Packed, /) -> dict[int, int]:
        buckets, counts = msgspec.convert(packed, tuple[list[int], list[int]])
        return dict(zip(buckets, counts, strict=False))

    def read(self, state: dict[int, int], /) -> dict[str, float] | None:
        return {f"{at:g}": self.quantile(state, at) for at in self.at} if state else None

    def quantile(self, state: dict[int, int], at: float) -> float:
        """The number that this share of all numbers does not exceed, within 1 %; ``state`` is not empty."""
        rank = at * (sum(state.values()) - 1)
        for bucket in sorted(state):
            rank -= state[bucket]
            if rank < 0:
                break
        if bucket == _ZERO:
            return 0.0
        exponent, step = divmod(bucket, _EACH_OCTAVE)
        low, high = 1 + step / _EACH_OCTAVE, 1 + (step + 1) / _EACH_OCTAVE
        return float(2.0**exponent * low * high / (low + high))


class Counted(NamedTuple):
    """Of one part: keys that are counted singly, and a few counters for all others; ``beyond`` is empty while all keys fit."""

    counts: dict[str, int]
    beyond: list[int]


_COUNTERS = 64


class Top(Cell[list[Counted]]):
    """The ``n`` keys with the highest counts. A value is a key, or a key with what to add for it: ``("shoes", 3)``.

    Bounded: the first ``20 n`` (at least 200) keys of a row to come are counted singly and exactly; a later one adds to a
    counter that its hash chooses. So each answer comes with a bound: the truth is from ``count`` to ``most``, and the two are
    the same, and exact, for every key that came in time in all shards and parts, as the popular ones do. No key that is not
    among those counted singly has more than the counter that its hash chooses.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self.capacity = max(20 * n, 200)

    def empty(self) -> list[Counted]:
        return [Counted({}, [])]

    def add(self, state: list[Counted], value: Any, /) -> list[Counted]:
        key, weight = value if type(value) is tuple and len(value) == 2 else (value, 1)
        if type(key) is not str or type(weight) is not int or not 0 <= weight <= 10**12:
            raise self._refusal("a str, or a str with an int from 0 to 10**12", value)
        counts, beyond = state[0]
        if key in counts:
            counts[key] += weight
        elif len(counts) < self.capacity:
            counts[key] = weight
        else:
            if not beyond:
                beyond += [0] * _COUNTERS
            beyond[_counter(key)] += weight
        return state

    def merge(self, state: list[Counted], other: list[Counted], /) -> list[Counted]:
        return [*state, *other]

    def pack(self, state: list[Counted], /) -> Packed:
        return [[list(part.counts), list(part.counts.values()), part.beyond.copy()] for part in state]

    def unpack(self, packed: Packed, /) -> list[Counted]:
        parts = msgspec.convert(packed, list[tuple[list[str], list[int], list[int]]])
        if not parts or any(len(beyond) not in (0, _COUNTERS) for _, _, beyond in parts):
            raise msgspec.ValidationError("counters of another number")
        return [Counted(dict(zip(keys, counts, strict=False)), beyond) for keys, counts, beyond in parts]

    def read(self, state: list[Counted], /) -> list[dict[str, str | int]]:
        """The first ``n`` by count descending, then key ascending."""
        counts: dict[str, int] = {}
        for part in state:
            for key, count in part.counts.items():
                counts[key] = counts.get(key, 0) + count
        first = nsmallest(self.n, counts.items(), key=lambda entry: (-entry[1], entry[0]))
        return [{"key": key, "count": count, "most": count + self._missed(state, key)} for key, count in first]

    def _missed(self, state: list[Counted], key: str) -> int:
        return sum(part.beyond[_counter(key)] for part in state if part.beyond and key not in part.counts)


def _counter(key: str) -> int:
    return crc32(key.encode()) % _COUNTERS
