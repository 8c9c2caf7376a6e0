"""The page Recommendations: how often what was shown is clicked, and what a stranger is shown."""

from __future__ import annotations

import threading
from collections import deque
from typing import Protocol

import msgspec

from consumers.recommendations.views import HitRate, RecommendationsView
from serving.api.recommendations import Offers
from serving.pages.picture import Head, head
from serving.progress import Fleet

#: The line: a point every ten seconds for half an hour, each over the minute before it.
STEP_MS = 10_000
KEPT_MS = 1_800_000
OVER_MS = 60_000
#: Of what is popular.
LENGTH = 10


class Clicks(Protocol):
    """What is read of ``consumers.recommendations.views.Recommendations``; blocking. Raises RetryLater, Missing."""

    def hit_rate(self) -> HitRate: ...


class OffersAndClicks(Offers, Clicks, Protocol):
    """Both."""


class Point(msgspec.Struct, frozen=True):
    """Shares of the clicks in the minute before ``at``; None when there were none."""

    at: int
    clicks: int
    hits: float | None
    popular_hits: float | None


class Popular(msgspec.Struct, frozen=True):
    product_id: str
    score: float


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """``ever``: since the application first ran; ``lately``: over the last minute."""

    head: Head
    model: str | None
    made_at: int | None
    ever: HitRate | None
    lately: HitRate | None
    line: list[Point]
    popular: list[Popular]


class Recommendations:
    """See ``serving.pages.picture.Picture``."""

    def __init__(self, offers: OffersAndClicks, fleet: Fleet, title: str) -> None:
        self._offers = offers
        self._fleet = fleet
        self._title = title
        self._seen = fleet.newest()
        self._counts: deque[tuple[int, HitRate]] = deque()
        self._line: deque[Point] = deque()
        self._popular: RecommendationsView | None = None
        self._lock = threading.Lock()

    def read(self, now_ms: int) -> None:
        seen = self._fleet.read(now_ms)
        ever = self._offers.hit_rate()
        popular = self._offers.popular()
        with self._lock:
            self._seen, self._popular = seen, popular
            self._note(ever, now_ms)

    def _note(self, ever: HitRate, now_ms: int) -> None:
        counts = self._counts
        if counts and (ever.clicks < counts[-1][1].clicks or now_ms - counts[-1][0] > OVER_MS):
            counts.clear()  # another count, or nobody looked for a while
        counts.append((now_ms, ever))
        while len(counts) > 2 and counts[1][0] <= now_ms - OVER_MS:
            counts.popleft()
        if now_ms - counts[0][0] >= STEP_MS and (not self._line or now_ms - self._line[-1].at >= STEP_MS):
            lately = _since(counts[0][1], ever)
            self._line.append(
                Point(now_ms, lately.clicks, _share(lately.hits, lately.clicks), _share(lately.popular_hits, lately.clicks))
            )
        while self._line and self._line[0].at < now_ms - KEPT_MS:
            self._line.popleft()

    def picture(self, now_ms: int, problem: str | None = None) -> bytes:
        with self._lock:
            popular, counts = self._popular, self._counts
            return msgspec.json.encode(
                Shown(
                    head=head(self._title, self._seen, now_ms, problem),
                    model=(popular.version or None) if popular is not None else None,
                    made_at=None if popular is None else popular.made_at,
                    ever=counts[-1][1] if counts else None,
                    lately=_since(counts[0][1], counts[-1][1]) if counts else None,
                    line=list(self._line),
                    popular=[Popular(each.item, each.score) for each in popular.items[:LENGTH]] if popular is not None else [],
                )
            )


def _since(before: HitRate, now: HitRate) -> HitRate:
    return HitRate(
        clicks=now.clicks - before.clicks,
        hits=now.hits - before.hits,
        popular_hits=now.popular_hits - before.popular_hits,
    )


def _share(part: int, of: int) -> float | None:
    return round(part / of, 4) if of else None
