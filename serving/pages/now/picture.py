"""The page Now: a stretch of time summed up, its bars, and the line of the last minutes."""

import msgspec

from clickstream.consumers.analytics.views import NAME, Aggregates, complete_to
from clickstream.serving.api.aggregates import Window, window
from clickstream.serving.pages.now.spans import Span, anchor
from clickstream.serving.pages.now.stretch import Stretch, Sum
from clickstream.serving.progress import Reading

#: The rows of a ranking on the page.
TOP = 8


class Shown(msgspec.Struct, frozen=True):
    """``bars`` are ``bar`` ms wide; ``before`` is the stretch of the same length before, where it is read."""

    span: str
    bar: int
    rate: list[tuple[int, float]]
    bars: list[Sum]
    total: Window
    before: Sum | None


class Now:
    """See ``clickstream.serving.pages.live.Picture``; of one span."""

    applications = (NAME,)

    def __init__(self, views: Aggregates, span: Span) -> None:
        self._views = views
        self._span = span
        self._stretch = Stretch(span, TOP)

    def read(self, seen: Reading) -> Shown:
        # `seen` was read before the rows: what it reports as complete is in them
        span, stretch = self._span, self._stretch
        stretch.read(self._views.rows, anchor(seen.read_at, seen.newest_event), seen.ticks_ms)
        assert stretch.total is not None, "the first reading is always due"
        total = window(stretch.total, complete_to(seen.completeness, span.rows))
        return Shown(span.name, span.bar_ms, seen.rate, stretch.bars(), total, stretch.before)
