"""Counts per key in bounded memory: exact for the first ``capacity`` keys, a bound for all others.

The first keys to come, in shard order, are counted singly; a key that comes when the tally is full adds to one of ``BUCKETS``
counters, chosen by its hash. Popular keys come early, so they are counted exactly. Both halves only ever add up: a tally is the
sum of its changes, and which key is counted singly depends on the order of the events alone. (Misra-Gries and space-saving
bound the error a little tighter, but take counts back: their result depends on when pieces are merged.)
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from zlib import crc32

import msgspec

BUCKETS = 256


class Tally(msgspec.Struct, array_like=True):
    """Counts by key, in no order. Of a *fresh* tally, what came since ``base`` was last brought up to date by ``merge``."""

    counts: Counter[str] = msgspec.field(default_factory=Counter)
    overflow: list[int] = []
    """The buckets; empty if never full."""

    def count(self, keys: Sequence[str], base: "Tally", capacity: int) -> None:
        """Count each key once, in order; ``self`` is fresh on top of ``base``, and the two together are bounded."""
        if self.has_room(len(keys), base, capacity):
            self.counts.update(keys)
        else:
            self._count_bounded(((key, 1) for key in keys), base, capacity)

    def count_weighted(self, weights: Sequence[tuple[str, int]], base: "Tally", capacity: int) -> None:
        """Count each key by its weight, in order."""
        if self.has_room(len(weights), base, capacity):
            counts = self.counts
            for key, weight in weights:
                counts[key] += weight
        else:
            self._count_bounded(weights, base, capacity)

    def has_room(self, keys: int, base: "Tally", capacity: int) -> bool:
        """True when this many keys fit, even if all of them are new."""
        return len(base.counts) + len(self.counts) + keys <= capacity

    def _count_bounded(self, weights: Iterable[tuple[str, int]], base: "Tally", capacity: int) -> None:
        counts, known = self.counts, base.counts
        free = capacity - len(known) - sum(key not in known for key in counts)
        for key, weight in weights:
            if key in counts:
                counts[key] += weight
            elif key in known:
                counts[key] = weight
            elif free > 0:
                free -= 1
                counts[key] = weight
            else:
                self.overflow = self.overflow or [0] * BUCKETS
                self.overflow[crc32(key.encode()) % BUCKETS] += weight

    def merge(self, fresh: "Tally") -> None:
        """Add what another tally counted; its keys were admitted against this one."""
        self.counts.update(fresh.counts)
        if fresh.overflow:
            self.overflow = [mine + more for mine, more in zip(self.overflow or [0] * BUCKETS, fresh.overflow, strict=True)]

    def bound(self) -> int:
        """No key that is not counted singly was counted more often than this."""
        return max(self.overflow, default=0)


def foremost(counts: dict[str, int], limit: int) -> tuple[dict[str, int], int]:
    """The first ``limit`` keys by count descending, then key ascending, in no order; the highest count left out (0: none)."""
    if len(counts) <= limit:
        return counts, 0
    # sorting plain ints leaves only the keys of one count to sort by name
    values = sorted(counts.values(), reverse=True)
    if limit == 0:
        return {}, values[0]
    threshold = values[limit - 1]
    kept = {key: count for key, count in counts.items() if count > threshold}
    ties = sorted(key for key, count in counts.items() if count == threshold)
    kept.update((key, threshold) for key in ties[: limit - len(kept)])
    return kept, values[limit]


def leaders(counts: dict[str, int], limit: int) -> list[tuple[str, int]]:
    """The first ``limit`` keys by count descending, then key ascending, in that order."""
    kept, _ = foremost(counts, limit)
    return sorted(kept.items(), key=lambda entry: (-entry[1], entry[0]))
