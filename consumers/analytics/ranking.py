"""A ranking over rows that each list their leaders only: the sum of their counts, and whether it is exact. Pure."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from clickstream.consumers.analytics.aggregate_rows import Leaders
from clickstream.consumers.analytics.counting.tally import leaders


class Top(msgspec.Struct, frozen=True):
    """Keys by count descending, then key ascending.

    ``exact``: these are the leaders, in this order, with these counts. Otherwise any count, a listed one or that of a key that
    is not listed, may be up to ``bound`` higher than shown (a key that is not listed counts as shown the last place's count).
    """

    entries: list[tuple[str, int]]
    exact: bool
    bound: int


class Ranking:
    """The sum of the rows' leaders; a row that does not list a key may hold up to its bound of it. Rows come in any order."""

    def __init__(self) -> None:
        self._counts = Counter[str]()
        self._bound = 0
        self._vouched = Counter[str]()
        """By key, the bounds of the rows that list it, and so left nothing of it out."""

    def add(self, piece: Leaders) -> None:
        self._counts.update(piece.counts)
        self._bound += piece.bound
        if piece.bound:
            self._vouched.update(dict.fromkeys(piece.counts, piece.bound))

    def merge(self, other: "Ranking") -> None:
        self._counts.update(other._counts)
        self._bound += other._bound
        self._vouched.update(other._vouched)

    def top(self, places: int) -> Top:
        entries = leaders(self._counts, places)
        exact = self._bound == 0 or self._is_certain(entries, places)
        return Top(entries, exact, 0 if exact else self._bound)

    def _is_certain(self, entries: Sequence[tuple[str, int]], places: int) -> bool:
        """True when what the rows left out can change neither the listed counts nor the list."""
        if len(entries) < places or not entries:
            return False
        if any(self._vouched[key] < self._bound for key, _ in entries):
            return False
        last_key, last_count = entries[-1]
        if self._bound >= last_count:
            return False  # a key that no row lists might be ahead
        listed = {key for key, _ in entries}
        for key, count in self._counts.items():
            if count + self._bound >= last_count and key not in listed:
                most = count + self._bound - self._vouched[key]
                if (-most, key) < (-last_count, last_key):
                    return False
        return True
