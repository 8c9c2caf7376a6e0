"""From the rows of all shards and parts to the answer for one window. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from consumers.analytics.partial import TALLIES
from consumers.analytics.rows import Leaders, RowContent
from consumers.analytics.sessions import STAGES
from consumers.analytics.tally import leaders
from consumers.analytics.uniques import Estimate, Uniques
from consumers.analytics.windows import Granularity


class Top(msgspec.Struct, frozen=True):
    """Keys by count descending, then key ascending.

    ``exact``: these are the leaders, in this order, with these counts. Otherwise any count, a listed one or that of a key that
    is not listed, may be up to ``bound`` higher than told (a key that is not listed counts as told the last place's count).
    """

    entries: list[tuple[str, int]]
    exact: bool
    bound: int


class Funnel(msgspec.Struct, frozen=True):
    """Unique sessions that viewed a product; that added to the cart after a view; that purchased after that."""

    view: int
    cart: int
    purchase: int


class WindowView(msgspec.Struct, frozen=True, kw_only=True):
    """One window's answer. ``revenue`` in minor units by currency; ``tops`` by the names of ``partial.TALLIES``."""

    granularity: str
    start_ms: int
    end_ms: int
    counts: dict[str, int]
    """Events by type."""
    orders: int
    revenue: dict[str, int]
    uniques: Estimate
    funnel: Funnel
    tops: dict[str, Top]

    @property
    def products(self) -> list[tuple[str, int]]:
        """The most viewed."""
        return self.tops["products"].entries

    @property
    def categories(self) -> list[tuple[str, int]]:
        """Those of the most viewed products."""
        return self.tops["categories"].entries

    @property
    def searches(self) -> list[tuple[str, int]]:
        """The most frequent normalised queries."""
        return self.tops["searches"].entries


def answer(granularity: Granularity, start_ms: int, rows: Sequence[RowContent], top: int) -> WindowView:
    """The window's answer from all of its rows (a day's from those of its hours), with ``top`` keys per ranking."""
    kinds: Counter[str] = Counter()
    revenue: Counter[str] = Counter()
    uniques = Uniques()
    funnel = [0, 0, 0]
    # the counters of a row: of the minute, of sessions new to the hour, of sessions new to the day
    first = STAGES * list(Granularity).index(granularity)
    for row in rows:
        kinds.update(row.events)
        revenue.update(row.revenue)
        uniques.merge_bytes(row.uniques)
        funnel = [mine + more for mine, more in zip(funnel, row.funnel[first : first + STAGES], strict=True)]
    return WindowView(
        granularity=granularity.value,
        start_ms=start_ms,
        end_ms=start_ms + granularity.ms,
        counts=dict(sorted(kinds.items())),
        orders=kinds["purchase"],
        revenue=dict(sorted(revenue.items())),
        uniques=uniques.estimate(),
        funnel=Funnel(*funnel),
        tops={name: ranking([row.tallies[n] for row in rows if n < len(row.tallies)], top) for n, name in enumerate(TALLIES)},
    )


def ranking(pieces: Sequence[Leaders], top: int) -> Top:
    """The sum of the pieces' counts; a piece that does not list a key may hold up to its bound of it."""
    counts, vouched = Counter[str](), Counter[str]()
    for piece in pieces:
        counts.update(piece.counts)
        vouched.update(dict.fromkeys(piece.counts, piece.bound))
    return ranked(counts, vouched, sum(piece.bound for piece in pieces), top)


def ranked(counts: Counter[str], vouched: Counter[str], bound: int, top: int) -> Top:
    """``bound``: of all pieces together; ``vouched``: by key, of those that list it and so left nothing of it out."""
    entries = leaders(counts, top)
    exact = bound == 0 or _is_certain(entries, counts, vouched, bound, top)
    return Top(entries, exact, 0 if exact else bound)


def _is_certain(
    entries: Sequence[tuple[str, int]], counts: Mapping[str, int], vouched: Counter[str], bound: int, top: int
) -> bool:
    """True when what the pieces left out can change neither the listed counts nor the list."""
    if len(entries) < top or not entries:
        return False
    if any(vouched[key] < bound for key, _ in entries):
        return False
    last_key, last_count = entries[-1]
    if bound >= last_count:
        return False  # a key that no piece lists might be ahead
    listed = {key for key, _ in entries}
    for key, count in counts.items():
        if count + bound >= last_count and key not in listed:
            most = count + bound - vouched[key]
            if (-most, key) < (-last_count, last_key):
                return False
    return True
