"""The shard graph of one stream: hash ranges, parents and children, and how resharding changes them.

A hash key is 16 big-endian bytes, which order as the 128-bit number does. Ranges are inclusive at both ends. At any time the
open shards cover the whole hash key space without gap or overlap.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

import msgspec

from clickstream.infra.local.kinesis.model import sequence

HASH_SPACE = 2**128


def key_bytes(value: int) -> bytes:
    """A hash key from its number."""
    return value.to_bytes(16, "big")


def key_number(key: bytes) -> int:
    """A hash key's number."""
    return int.from_bytes(key, "big")


class Shard(msgspec.Struct, kw_only=True):
    """A shard, open or closed. Its state without its records, fit for writing to disk."""

    index: int
    start: bytes
    end: bytes
    epoch_s: int
    """Leads the shard's sequence numbers; greater than its parents'."""
    created_ms: int
    parents: tuple[int, ...] = ()
    """Indices of none, one (split) or two (merge) shards; the first is ParentShardId, the second AdjacentParentShardId."""
    children: tuple[int, ...] = ()
    closed_ms: int | None = None

    @property
    def shard_id(self) -> str:
        return shard_id(self.index)

    @property
    def is_open(self) -> bool:
        return self.closed_ms is None

    @property
    def starting_sequence_number(self) -> str:
        return sequence.render(self.prefix, sequence.FIRST_COUNTER, self.created_ms)

    @property
    def ending_sequence_number(self) -> str | None:
        if self.closed_ms is None:
            return None
        return sequence.render(self.prefix, sequence.LAST_COUNTER, self.closed_ms)

    @property
    def prefix(self) -> int:
        """See :func:`sequence.render`."""
        return sequence.prefix(self.epoch_s, self.index)


def shard_id(index: int) -> str:
    """``shardId-`` and twelve digits."""
    return f"shardId-{index:012d}"


def index_of(shard_id: str) -> int | None:
    """The index that a shard id names; AWS takes ``shardId-7`` and ``7`` as well. None if it is not a shard id."""
    digits = shard_id.removeprefix("shardId-")
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 12 else None


class ShardGraph:
    """All shards of a stream that still exist, by index, and the open ones by hash key."""

    def __init__(self, shards: list[Shard] | None = None, next_index: int = 0) -> None:
        self.shards: dict[int, Shard] = {shard.index: shard for shard in shards or []}
        self.next_index = next_index
        """Indices are never used twice, even after shards have expired."""
        self._reindex()

    @classmethod
    def uniform(cls, count: int, now_ms: int) -> ShardGraph:
        """``count`` open shards of equal ranges (to the key)."""
        graph = cls()
        starts = [*boundaries(count), HASH_SPACE]
        for start, end in pairwise(starts):
            graph._add(key_bytes(start), key_bytes(end - 1), (), now_ms)
        graph._reindex()
        return graph

    @property
    def open_shards(self) -> list[Shard]:
        """Open shards by hash key."""
        return self._open

    def route(self, key: bytes) -> Shard:
        """The open shard whose range holds this hash key."""
        return self._open[bisect_right(self._starts, key) - 1]

    def split(self, shard: Shard, new_start: bytes, now_ms: int) -> None:
        """Close an open shard; its children meet at ``new_start``, which lies inside its range and is not its first key."""
        assert shard.is_open
        assert shard.start < new_start <= shard.end
        below = key_bytes(key_number(new_start) - 1)
        low = self._add(shard.start, below, (shard.index,), now_ms)
        high = self._add(new_start, shard.end, (shard.index,), now_ms)
        shard.closed_ms = now_ms
        shard.children = (low.index, high.index)
        self._reindex()

    def merge(self, shard: Shard, adjacent: Shard, now_ms: int) -> None:
        """Close two open neighbours; their child covers both ranges."""
        assert shard.is_open
        assert adjacent.is_open
        assert are_adjacent(shard, adjacent)
        child = self._add(min(shard.start, adjacent.start), max(shard.end, adjacent.end), (shard.index, adjacent.index), now_ms)
        for parent in (shard, adjacent):
            parent.closed_ms = now_ms
            parent.children = (child.index,)
        self._reindex()

    def scale(self, count: int, now_ms: int) -> None:
        """Uniform scaling as AWS does it: split at the new boundaries, then merge what lies between two of them.

        Short-lived shards come and go on the way; they hold no records, and lead from the old shards to the new ones.
        """
        wanted = boundaries(count)
        for boundary in _middle_out(wanted):
            shard = self.route(key_bytes(boundary))
            if key_number(shard.start) != boundary:
                self.split(shard, key_bytes(boundary), now_ms)
        for start, stop in zip(wanted, [*wanted[1:], HASH_SPACE], strict=True):
            while len(parts := self._within(start, stop)) > 1:
                for low, high in zip(parts[::2], parts[1::2], strict=False):
                    self.merge(low, high, now_ms)

    def expire(self, horizon_ms: int) -> list[int]:
        """Forget shards that closed before ``horizon_ms`` (nothing in them can still be retained); their indices."""
        expired = [
            index for index, shard in self.shards.items() if shard.closed_ms is not None and shard.closed_ms < horizon_ms
        ]
        for index in expired:
            del self.shards[index]
        return expired

    def _within(self, start: int, stop: int) -> list[Shard]:
        return [shard for shard in self._open if start <= key_number(shard.start) < stop]

    def _add(self, start: bytes, end: bytes, parents: tuple[int, ...], now_ms: int) -> Shard:
        epoch_s = max([now_ms // 1000, *(self.shards[parent].epoch_s + 1 for parent in parents)])
        shard = Shard(index=self.next_index, start=start, end=end, epoch_s=epoch_s, created_ms=now_ms, parents=parents)
        self.shards[shard.index] = shard
        self.next_index += 1
        return shard

    def _reindex(self) -> None:
        self._open = sorted((shard for shard in self.shards.values() if shard.is_open), key=lambda shard: shard.start)
        self._starts = [shard.start for shard in self._open]


def boundaries(count: int) -> list[int]:
    """First keys of ``count`` uniform ranges."""
    return [HASH_SPACE * number // count for number in range(count)]


def are_adjacent(lower: Shard, upper: Shard) -> bool:
    """Whether the second range begins where the first ends; AWS refuses a pair in the other order."""
    return key_number(lower.end) + 1 == key_number(upper.start)


def _middle_out(values: list[int]) -> list[int]:
    """The same values, halves before quarters: splitting in this order keeps the graph shallow."""
    if not values:
        return []
    middle = len(values) // 2
    return [values[middle], *_middle_out(values[:middle]), *_middle_out(values[middle + 1 :])]
