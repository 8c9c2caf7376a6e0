"""Which shard an event belongs to: partition key → MD5 → hash range.

A hash key is kept as the 16 bytes of the digest: big-endian bytes order as the 128-bit number does, so comparing and bisecting
need no conversion to int.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

import msgspec

try:
    from _md5 import md5  # type: ignore[import-not-found]  # CPython's own: of a few bytes twice as fast as OpenSSL's
except ImportError:  # some distributions leave it out
    from hashlib import md5

HASH_BYTES = 16
MAX_HASH_KEY = 2**128 - 1


def hash_key(partition_key: str) -> bytes:
    """The 128-bit hash key that Kinesis derives from a partition key, as 16 big-endian bytes."""
    digest: bytes = md5(partition_key.encode(), usedforsecurity=False).digest()
    return digest


class HashRange(msgspec.Struct, frozen=True, order=True):
    """An inclusive range of the 128-bit hash key space, both ends as 16 big-endian bytes."""

    start: bytes
    end: bytes

    @classmethod
    def of(cls, start: int, end: int) -> HashRange:
        return cls(start.to_bytes(HASH_BYTES, "big"), end.to_bytes(HASH_BYTES, "big"))

    def __contains__(self, key: bytes) -> bool:
        return self.start <= key <= self.end


WHOLE_SPACE = HashRange.of(0, MAX_HASH_KEY)


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """A shard as ListShards tells it. ``parents``: none, one (split) or two (merge) shard ids."""

    shard_id: str
    hash_range: HashRange
    parents: tuple[str, ...] = ()
    is_open: bool = True

    @classmethod
    def from_api(cls, shard: dict) -> Shard:  # type: ignore[type-arg]  # botocore's plain dict
        hash_range = shard["HashKeyRange"]
        parents = (shard.get("ParentShardId"), shard.get("AdjacentParentShardId"))
        return cls(
            shard_id=shard["ShardId"],
            hash_range=HashRange.of(int(hash_range["StartingHashKey"]), int(hash_range["EndingHashKey"])),
            parents=tuple(parent for parent in parents if parent),
            is_open="EndingSequenceNumber" not in shard["SequenceNumberRange"],
        )


class ShardMap:
    """The open shards at one moment, which together cover the hash key space without gap or overlap.

    Raises ValueError when they do not: a map taken in the middle of a reshard must be taken again, not used.
    """

    def __init__(self, shards: Iterable[Shard]) -> None:
        self.shards: Sequence[Shard] = sorted(
            (shard for shard in shards if shard.is_open), key=lambda shard: shard.hash_range.start
        )
        expected = 0
        for shard in self.shards:
            if int.from_bytes(shard.hash_range.start, "big") != expected:
                raise ValueError(f"shard map has a gap or an overlap at {shard.shard_id}")
            expected = int.from_bytes(shard.hash_range.end, "big") + 1
        if expected != MAX_HASH_KEY + 1:
            raise ValueError("shard map does not cover the hash key space")
        self._starts = [shard.hash_range.start for shard in self.shards]

    def shard_for(self, key: bytes) -> Shard:
        """The shard whose range holds this hash key (16 bytes)."""
        return self.shards[bisect_right(self._starts, key) - 1]
