"""What the pages and the API read. ``clickstream.consumers.analytics.views.Aggregates`` is one; tests have theirs."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from clickstream.consumers.analytics.views import RowContent, ShardProgress, WindowView

Clock = Callable[[], int]
"""Milliseconds: since the epoch, or of a monotonic clock."""


class ReadModel(Protocol):
    """Reads of the stores; blocking, so never called on the event loop. Raises RetryLater when a store does not answer."""

    def windows(self, granularity: str, start_ms: int, end_ms: int, *, top: int) -> Sequence[WindowView]:
        """The windows that overlap [start, end) and hold any event, oldest first; ``top`` keys per ranking."""

    def rows(self, granularity: str, start_ms: int, end_ms: int) -> Iterable[tuple[int, RowContent]]:
        """(window's start, content) of every stored row of [start, end): of minutes, or of hours for hours and days."""

    def progress(self) -> Sequence[ShardProgress]:
        """Every shard that any application ever took, in order of both names."""
