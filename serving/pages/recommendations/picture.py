"""The page Recommendations: how often what was shown is clicked, and what a stranger is shown."""

import msgspec

from clickstream.consumers.recommendations import views
from clickstream.consumers.recommendations.views import HitRate
from clickstream.serving.api.recommendations import Item, recommendations
from clickstream.serving.progress import Reading
from clickstream.serving.speeds import Line, Recent

#: The line: a point every ten seconds for half an hour, each over the minute before it.
STEP_MS = 10_000
KEPT_MS = 1_800_000
OVER_MS = 60_000
#: Of what is popular.
LENGTH = 10


class Point(msgspec.Struct, frozen=True):
    """Shares of the clicks in the minute before ``at``; None when there were none."""

    at: int
    clicks: int
    hits: float | None
    popular_hits: float | None


class Shown(msgspec.Struct, frozen=True):
    """``ever``: since the application first ran; ``lately``: over the last minute."""

    model: str | None
    made_at: int | None
    ever: HitRate
    lately: HitRate
    line: list[Point]
    popular: list[Item]


class Recommendations:
    """See ``clickstream.serving.pages.picture.Picture``."""

    applications = (views.NAME,)

    def __init__(self, offers: views.Recommendations) -> None:
        self._offers = offers
        self._counts: Recent[HitRate] = Recent(OVER_MS)
        self._line: Line[HitRate] = Line(STEP_MS, KEPT_MS)

    def read(self, seen: Reading) -> Shown:
        ever, popular = self._offers.hit_rate(), self._offers.popular()
        lately = self._since_a_minute_ago(ever, seen)
        line = [_point(at, clicks) for at, clicks in self._line.points()]
        shown = recommendations(popular)
        return Shown(shown.model, shown.made_at, ever, lately, line, shown.items[:LENGTH])

    def _since_a_minute_ago(self, ever: HitRate, seen: Reading) -> HitRate:
        counts = self._counts
        if counts.last is not None and (ever.clicks < counts.last.clicks or counts.idle_ms(seen.ticks_ms) > OVER_MS):
            counts.clear()  # another count, or nobody looked for a while
        counts.add(seen.ticks_ms, ever)
        lately = ever - counts.first
        if counts.since_ms >= STEP_MS:
            self._line.add(seen.ticks_ms, seen.read_at, lately)
        return lately


def _point(at: int, over: HitRate) -> Point:
    hits, popular_hits = (round(part / over.clicks, 4) if over.clicks else None for part in (over.hits, over.popular_hits))
    return Point(at, over.clicks, hits, popular_hits)
