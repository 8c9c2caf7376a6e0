"""The users of one shard: every event takes effect on its home shard alone.

KCL drops an aggregate that was put with a stale shard map, but delivers it for fresh child shards until its own shard list
reloads; the publisher puts it again either way. So the shard itself refuses what does not hash into its range.
"""

from __future__ import annotations

from clickstream.records.routing import HashRange, hash_key

#: Hashing costs half a microsecond, a set lookup a tenth of that; the set is emptied when it has grown to this many users.
_REMEMBERED = 200_000


class Home:
    """Says which users hash into a shard's range. A cache, not state: it never changes an answer."""

    def __init__(self, hash_range: HashRange) -> None:
        self._range = hash_range
        self._known: set[str] = set()

    def foreign(self, users: list[str]) -> set[str]:
        """Those of ``users`` whose hash key lies outside the shard's range."""
        unknown = set(users) - self._known
        if not unknown:
            return unknown
        foreign = {user for user in unknown if hash_key(user) not in self._range}
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        self._known |= unknown - foreign
        return foreign
