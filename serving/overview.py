"""What the page shows at one moment."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import msgspec

from consumers.analytics.views import NAME, ShardProgress, WindowView
from serving.periods import anchor
from serving.present import analytics_complete_to, progress_json, window_json
from serving.rate import Rate
from serving.read_model import ReadModel
from serving.stretch import CADENCES, Stretch

#: The rows of a ranking on the page.
TOP = 8


class Overview:
    """Keeps what was last read, to have something to show while the store is away or slow.

    One thread may ``read`` while another draws the ``picture``: that waits for no store.
    """

    def __init__(self, views: ReadModel, title: str) -> None:
        self._views = views
        self._title = title
        self._rate = Rate()
        self._stretches = [Stretch(kind) for kind in CADENCES]
        self._progress: Sequence[ShardProgress] = []
        self._read_at: int | None = None
        self._lock = threading.Lock()

    def read(self, now_ms: int) -> None:
        """Ask the stores; raises what the read model raises, and then the last picture stands."""
        progress = self._views.progress()
        ours = [row for row in progress if row.application == NAME]
        newest = max((row.watermark_ms for row in ours if row.watermark_ms), default=None)
        at = anchor(now_ms, newest)
        asked = [(stretch, due) for stretch in self._stretches if (due := stretch.due(at, now_ms)) is not None]
        read = [(stretch, due, self._views.windows(stretch.kind, due.start, due.end, top=TOP)) for stretch, due in asked]
        with self._lock:
            for stretch, due, windows in read:
                stretch.keep(due, windows, now_ms)
            if ours:
                self._rate.add(now_ms, sum(row.events for row in ours))
            self._progress, self._read_at = progress, now_ms

    def picture(self, now_ms: int, problem: str | None = None) -> bytes:
        """Everything the page shows, as one JSON object; ``problem`` says why the store was not read just now."""
        with self._lock:
            return msgspec.json.encode(self._shown(now_ms, problem))

    def _shown(self, now_ms: int, problem: str | None) -> dict[str, Any]:
        complete_to = analytics_complete_to(self._progress)

        def shown_window(window: WindowView | None) -> dict[str, Any] | None:
            return None if window is None else window_json(window, complete_to)

        return {
            "title": self._title,
            "now": now_ms,
            "problem": problem,
            "read_at": self._read_at,
            "updated_at": max((row.updated_at for row in self._progress), default=None),
            "complete_to": complete_to,
            "rate": self._rate.points(),
            "series": {stretch.kind: stretch.series() for stretch in self._stretches},
            "current": {stretch.kind: shown_window(stretch.current()) for stretch in self._stretches},
            "previous": {stretch.kind: shown_window(stretch.previous()) for stretch in self._stretches},
            "progress": [progress_json(row, now_ms) for row in self._progress],
        }
