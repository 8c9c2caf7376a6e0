"""What the page shows at one moment, read at a bounded cost: recent windows each time, whole stretches now and then."""

from __future__ import annotations

from typing import Any

import msgspec

from serving.periods import WINDOW_MS, anchor
from serving.present import progress_json, window_json
from serving.rate import Rate
from serving.read_model import Granularity, Progress, ReadModel, Window

#: Closed windows change only when late events come, so all of them are read this often and no more.
REREAD_MS = 60_000
#: Windows that the page shows of each granularity; it shows days one by one, so today and yesterday are enough.
SPAN: dict[Granularity, int] = {"minute": 60, "hour": 24, "day": 2}
#: The rows of a top list on the page.
TOP = 8
#: The application whose windows the page shows, and whose events are its rate.
APPLICATION = "analytics"


class Stretch:
    """The newest windows of one granularity. Pure: says what to read, and keeps what was read."""

    def __init__(self, kind: Granularity) -> None:
        self.kind: Granularity = kind
        self._windows: dict[int, Window] = {}
        self._read_from = 0
        self._read_at = 0
        self._end = 0

    def due(self, anchor_ms: int, now_ms: int) -> tuple[int, int]:
        """[start, end) to be read now."""
        width = WINDOW_MS[self.kind]
        current = anchor_ms // width * width
        start = max(0, current - (SPAN[self.kind] - 1) * width)
        self._end = current + width
        if start < self._read_from or self._read_at == 0 or now_ms - self._read_at >= REREAD_MS:
            return start, self._end
        newest = max(self._windows, default=current)
        # also what lies between the last window seen and the current one, when the data's time jumps
        return max(start, min(current - width, newest - width)), self._end

    def keep(self, asked: tuple[int, int], windows: list[Window], now_ms: int) -> None:
        start, end = asked
        width = WINDOW_MS[self.kind]
        oldest = max(0, self._end - SPAN[self.kind] * width)
        if start <= oldest:
            self._read_from, self._read_at = oldest, now_ms
        kept = {at: window for at, window in self._windows.items() if oldest <= at < start or end <= at < self._end}
        self._windows = kept | {window.start_ms: window for window in windows}

    def current(self) -> Window | None:
        return self._windows.get(self._end - WINDOW_MS[self.kind])

    def previous(self) -> Window | None:
        return self._windows.get(self._end - 2 * WINDOW_MS[self.kind])

    def series(self) -> list[dict[str, Any]]:
        """One point per window of the stretch, zeros where nothing happened, oldest first."""
        width = WINDOW_MS[self.kind]
        start = max(0, self._end - SPAN[self.kind] * width)
        return [_point(at, self._windows.get(at)) for at in range(start, self._end, width)]


def _point(start_ms: int, window: Window | None) -> dict[str, Any]:
    if window is None:
        return {"start": start_ms, "events": 0, "revenue": {}}
    return {"start": start_ms, "events": sum(window.counts.values()), "revenue": dict(window.revenue)}


class Overview:
    """Keeps what was last read, so that the page has something to show while the store is away. Used by one thread at a time."""

    def __init__(self, views: ReadModel, title: str) -> None:
        self._views = views
        self._title = title
        self._rate = Rate()
        self._stretches = [Stretch(kind) for kind in WINDOW_MS]
        self._read: dict[str, Any] = {"complete_to": None, "anchor": None, "updated_at": None, "read_at": None}
        self._progress: list[Progress] = []

    def read(self, now_ms: int) -> None:
        """Ask the stores; raises what the read model raises, and then the last picture stands."""
        progress = list(self._views.progress())
        complete_to = self._views.complete_to()
        rows = [row for row in progress if row.application == APPLICATION]
        newest = max((row.watermark_ms for row in rows if row.watermark_ms > 0), default=None)
        at = anchor(now_ms, newest)
        for stretch in self._stretches:
            asked = stretch.due(at, now_ms)
            stretch.keep(asked, list(self._views.windows(stretch.kind, *asked)), now_ms)
        if rows:
            self._rate.add(now_ms, sum(row.events for row in rows))
        self._progress = progress
        self._read = {
            "complete_to": complete_to,
            "anchor": at,
            "updated_at": max((row.updated_at for row in progress), default=None),
            "read_at": now_ms,
        }

    def picture(self, now_ms: int, problem: str | None = None) -> bytes:
        """Everything the page shows, as one JSON object; ``problem`` says why the store was not read just now."""
        return msgspec.json.encode(
            {
                "title": self._title,
                "now": now_ms,
                "problem": problem,
                **self._read,
                "rate": self._rate.points(),
                "series": {stretch.kind: stretch.series() for stretch in self._stretches},
                "current": {stretch.kind: _shown(stretch.current()) for stretch in self._stretches},
                "previous": {stretch.kind: _shown(stretch.previous()) for stretch in self._stretches},
                "progress": [progress_json(row, now_ms) for row in self._progress],
            }
        )


def _shown(window: Window | None) -> dict[str, Any] | None:
    return None if window is None else window_json(window, TOP)
