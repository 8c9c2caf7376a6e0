"""What "complete" means, defined once; docs/explanation/completeness.md says why, with a drawing. Pure.

A shard tells up to when it has folded what *arrived* (``arrived_to``), and how late its events came (:class:`Lateness`). The
stream's time is the least over the key space; a window is complete when its end plus the observed lateness lies before it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import repeat
from math import isqrt
from operator import itemgetter, rshift, sub
from typing import TypeVar

import msgspec

from clickstream.records.routing import MAX_HASH_KEY, HashRange

#: The lateness admits one event in so many: the quantile is 99.9 %.
ONE_IN = 1_000
#: Lateness is remembered by half hours of arrival, and forgotten after three of them: a backfill holds back no longer.
GENERATION_MS = 30 * 60_000
GENERATIONS = 3
#: Lateness is told in steps from here on (ms); whoever comes within it is not late.
_STEP = 10
LEAST_MS = (1 << _STEP) - 1

Buckets = dict[int, dict[int, int]]
"""Generation of arrival → step of lateness → events."""
T = TypeVar("T", int, float)


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """What a shard tells beside its position; times by Kinesis's clock, 0 while unknown.

    Everything that arrived in the shard before ``arrived_to`` is folded, and its effects are visible: all of them before
    ``whole_to``, and what the fold does not hold back (analytics: minutes) before ``arrived_to``.
    """

    hash_range: str = ""
    arrived_to: int = 0
    whole_to: int = 0
    lateness: str = ""


class Completeness(msgspec.Struct, frozen=True, kw_only=True):
    """How far a stream's answers are complete (ms of event time); None while a part of the key space was never read.

    ``minutes_to``: minutes that end by then hold every event that was put, but for the share of events that came later than
    ``lateness_ms``; ``complete_to``: so do hours and days. ``late_share``: that share, of the events observed lately.
    """

    minutes_to: int | None
    complete_to: int | None
    lateness_ms: int
    late_share: float


class Lateness:
    """How long after they had happened one shard's events arrived; part of its state. A function of the set of its events."""

    def __init__(self) -> None:
        self.buckets: Buckets = {}

    def add(self, occurred_ms: Sequence[int], arrived_ms: Sequence[int]) -> None:
        """Parallel lists."""
        if not arrived_ms:
            return
        latest = max(arrived_ms)
        generation = latest // GENERATION_MS
        if min(arrived_ms) // GENERATION_MS < generation:
            for occurred, arrived in zip(occurred_ms, arrived_ms, strict=True):
                self.add([occurred], [arrived])
            return
        counts = Counter(self.buckets.get(generation, {}))
        if latest - min(occurred_ms) <= LEAST_MS:
            counts[0] += len(arrived_ms)
        else:
            # every record pays for this line: nothing in it is Python's own
            for late, count in Counter(map(rshift, map(sub, arrived_ms, occurred_ms), repeat(_STEP))).items():
                counts[_step(late)] += count
        newest = max([generation, *self.buckets])
        self.buckets = {n: each for n, each in {**self.buckets, generation: counts}.items() if n > newest - GENERATIONS}

    def encoded(self) -> str:
        return msgspec.json.encode(self.buckets).decode()


def _step(late: int) -> int:
    """Two steps for each doubling of so many times 2 ** ``_STEP`` ms: the square's length in bits."""
    return (late * late).bit_length() if late > 0 else 0


def _most_ms(step: int) -> int:
    """The greatest lateness of a step."""
    return ((isqrt((1 << step) - 1) + 1) << _STEP) - 1


def completeness(shards: Iterable[Arrival]) -> Completeness:
    """Out of all shards that one application ever took, those that ended included."""
    told = list(shards)
    arrived_to = least((shard.hash_range, shard.arrived_to) for shard in told)
    whole_to = least((shard.hash_range, shard.whole_to) for shard in told)
    lateness_ms, late_share = _lateness(told, arrived_to or 0)
    return Completeness(
        minutes_to=None if arrived_to is None else arrived_to - lateness_ms,
        complete_to=None if whole_to is None else whole_to - lateness_ms,
        lateness_ms=lateness_ms,
        late_share=late_share,
    )


def least(told: Iterable[tuple[str, T]]) -> T | None:
    """The least time over the key space, of (hash range, time); None where no shard has told one.

    A key's time is the latest of the shards that ever had it: a child begins only where its parents' ends are told, so it
    vouches for them too, and until it says something they hold back to what they said last.
    """
    free = [(0, MAX_HASH_KEY)]
    for keys, time in sorted(told, key=itemgetter(1), reverse=True):
        if not keys or time <= 0:
            continue
        start, end = (int(bound, 16) for bound in keys.split("-"))
        pieces = [piece for low, high in free for piece in ((low, min(high, start - 1)), (max(low, end + 1), high))]
        free = [(low, high) for low, high in pieces if low <= high]
        if not free:
            return time
    return None


def told_range(keys: HashRange) -> str:
    """A hash range as ``Arrival`` has it."""
    return f"{keys.start.hex()}-{keys.end.hex()}"


def _lateness(shards: Iterable[Arrival], arrived_to: int) -> tuple[int, float]:
    """The lateness (ms) that all but one in ``ONE_IN`` of the last generations' events keep, and the share of those others."""
    steps: Counter[int] = Counter()
    oldest = arrived_to // GENERATION_MS - GENERATIONS
    for shard in shards:
        if shard.lateness:
            for generation, counts in msgspec.json.decode(shard.lateness, type=Buckets).items():
                if generation > oldest:
                    steps.update(counts)
    total, late = steps.total(), 0
    for step in sorted(steps, reverse=True):
        if (late + steps[step]) * ONE_IN > total:
            return _most_ms(step), late / total
        late += steps[step]
    return 0, 0.0
