"""From visits to offers: one computation per visitor that was touched, and whether what was shown before was clicked. Pure."""

from collections.abc import Sequence, Set

import msgspec

from clickstream.consumers.recommendations.fold import Visit
from clickstream.models.recommender.model import Model, Recommended, Seen
from clickstream.models.recommender.overlay import EMPTY, Overlay

#: Items of an offer.
LENGTH = 20
#: The live index is made anew at most this often (ms), and at most once per so many sessions in it and second: it costs some
#: four milliseconds per thousand sessions, a share of the time that does not grow.
REFRESH_MS = 1_000
REFRESHED_PER_S = 10_000
#: What is popular is written at most this often (ms).
POPULAR_EVERY_MS = 5_000
#: Visitors whose last offer is remembered, to see what they click.
REMEMBERED = 50_000


class HitRate(msgspec.Struct, frozen=True, kw_only=True):
    """Of ``clicks`` by visitors who had an offer, ``hits`` were on an item of it, and ``popular_hits`` on a popular one."""

    clicks: int = 0
    hits: int = 0
    popular_hits: int = 0

    def __add__(self, other: "HitRate") -> "HitRate":
        return HitRate(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})

    def __sub__(self, other: "HitRate") -> "HitRate":
        return HitRate(**{name: getattr(self, name) - getattr(other, name) for name in self.__struct_fields__})


class Offer(msgspec.Struct, frozen=True):
    """What to show a visitor; ``user_id`` None: to a stranger."""

    user_id: str | None
    items: Sequence[Recommended]


class Offers:
    """Keeps the model, the live sessions, and what was shown; none of it is state that must survive. Time: wall clock, ms."""

    def __init__(self, consumables: Set[str] = frozenset(), refresh_ms: int = REFRESH_MS) -> None:
        """``consumables``: categories whose products are offered again to who has bought them."""
        self._consumables = consumables
        self._refresh_ms = refresh_ms
        self._overlay = Overlay(None)
        self._recommender = self._overlay.recommender()
        self._refreshed_ms: int | None = None
        self._popular_ms: int | None = None
        self._popular: frozenset[str] = frozenset()
        self._shown: dict[str, frozenset[str]] = {}

    def use(self, model: Model | None) -> None:
        self._overlay.rebase(model or EMPTY)
        self._refreshed_ms = self._popular_ms = None

    def count(self, visits: Sequence[Visit]) -> HitRate:
        """How many of the clicks were on what had been shown."""
        clicks = hits = popular_hits = 0
        for visit in visits:
            shown = self._shown.get(visit.user_id)
            if shown is None:
                continue  # there was nothing that a click could have followed
            clicks += len(visit.clicked)
            hits += sum(product in shown for product in visit.clicked)
            popular_hits += sum(product in self._popular for product in visit.clicked)
        return HitRate(clicks=clicks, hits=hits, popular_hits=popular_hits)

    def answer(self, visits: Sequence[Visit], now_ms: int) -> list[Offer]:
        """An offer for each visitor, and now and then one for strangers."""
        for visit in visits:
            self._overlay.put(visit.user_id, list(visit.items), visit.at_ms / 1000)
        if is_due(self._refreshed_ms, now_ms, max(self._refresh_ms, len(self._overlay) * 1_000 // REFRESHED_PER_S)):
            self._recommender, self._refreshed_ms = self._overlay.recommender(), now_ms
        offers: list[Offer] = []
        if is_due(self._popular_ms, now_ms, POPULAR_EVERY_MS):
            popular = self._recommender.recommend([], LENGTH)
            if popular:
                self._popular_ms = now_ms
                self._popular = frozenset(each.item for each in popular)
                offers.append(Offer(None, popular))
        for visit in visits:
            session = [Seen(item, weight) for item, weight in visit.items.items()]
            without = {product for product, category in visit.has.items() if category not in self._consumables}
            items = self._recommender.recommend(session, LENGTH, without, visit.user_id)
            offers.append(Offer(visit.user_id, items))
            self._shown.pop(visit.user_id, None)
            self._shown[visit.user_id] = frozenset(each.item for each in items)
        while len(self._shown) > REMEMBERED:
            del self._shown[next(iter(self._shown))]
        return offers


def is_due(last_ms: int | None, now_ms: int, every_ms: int) -> bool:
    """Whether it is time again; also when the clock was set back."""
    return last_ms is None or not 0 <= now_ms - last_ms < every_ms
