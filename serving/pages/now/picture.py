"""The page Now: a stretch of time summed up, its bars, and the line of the last minutes."""

from __future__ import annotations

import threading

import msgspec

from consumers.analytics.views import WindowView, complete_to
from serving.api.answers import Window
from serving.api.periods import anchor
from serving.api.present import window_json
from serving.pages.now.spans import Span
from serving.pages.now.stretch import Stretch, Sum
from serving.pages.picture import Head, head
from serving.progress import Fleet, FleetView
from serving.read_model import ReadModel

#: The rows of a ranking on the page.
TOP = 8


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """``bars`` are ``bar`` ms wide; ``before`` is the stretch of the same length before, where it is read."""

    head: Head
    span: str
    bar: int
    rate: list[tuple[int, float]]
    bars: list[Sum]
    total: Window | None
    before: Sum | None


class Now:
    """See ``serving.pages.picture.Picture``; of one span."""

    def __init__(self, views: ReadModel, fleet: Fleet, title: str, span: Span) -> None:
        self._views = views
        self._fleet = fleet
        self._title = title
        self._stretch = Stretch(span, TOP)
        self._seen: FleetView = fleet.newest()
        self._lock = threading.Lock()

    def read(self, now_ms: int) -> None:
        # before the rows: what is said to be complete must be in them
        seen = self._fleet.read(now_ms)
        at = anchor(now_ms, seen.newest_event)
        asked = self._stretch.due(at, now_ms)
        reading = None
        if asked is not None:
            reading = self._stretch.begin(asked, at)
            for start_ms, row in self._views.rows(self._stretch.span.rows, asked.start, asked.end):
                reading.add(start_ms, row)
        with self._lock:
            if reading is not None:
                self._stretch.keep(reading, now_ms)
            self._seen = seen

    def picture(self, now_ms: int, problem: str | None = None) -> bytes:
        with self._lock:
            return msgspec.json.encode(
                Shown(
                    head=head(self._title, self._seen, now_ms, problem),
                    span=self._stretch.span.name,
                    bar=self._stretch.span.bar_ms,
                    rate=self._seen.rate,
                    bars=self._stretch.bars(),
                    total=_window(self._stretch.total, complete_to(self._seen.completeness, self._stretch.span.rows)),
                    before=self._stretch.before(),
                )
            )


def _window(total: WindowView | None, complete_to_ms: int | None) -> Window | None:
    return None if total is None else window_json(total, complete_to_ms)
