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


class Shown(msgspec.Struct, frozen=True):
    """``ever``: since the application first ran; ``lately``: over the last minute; ``line``: over the minute before ``at``."""

    model: str | None
    made_at: int | None
    ever: HitRate
    lately: HitRate
    line: list[tuple[int, HitRate]]
    popular: list[Item]


class Recommendations:
    """See ``clickstream.serving.pages.live.Picture``."""

    applications = (views.NAME,)

    def __init__(self, offers: views.Recommendations) -> None:
        self._offers = offers
        self._counts: Recent[HitRate] = Recent(OVER_MS)
        self._line: Line[HitRate] = Line(STEP_MS, KEPT_MS)

    def read(self, seen: Reading) -> Shown:
        ever, popular = self._offers.hit_rate(), self._offers.popular()
        lately, shown = self._since_a_minute_ago(ever, seen), recommendations(popular)
        return Shown(shown.model, shown.made_at, ever, lately, self._line.points(), shown.items[:LENGTH])

    def _since_a_minute_ago(self, ever: HitRate, seen: Reading) -> HitRate:
        counts = self._counts
        if counts and (ever.clicks < counts[-1][1].clicks or seen.ticks_ms - counts[-1][0] > OVER_MS):
            counts.clear()  # another count, or nobody looked for a while
        counts.add(seen.ticks_ms, ever)
        lately = ever - counts[0][1]
        if counts.lasted_ms >= STEP_MS:
            self._line.add(seen.ticks_ms, seen.read_at, lately)
        return lately
