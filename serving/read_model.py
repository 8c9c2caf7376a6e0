"""What the page and the API need of the analytics read model, ``consumers.analytics.views``, and nothing more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

Granularity = Literal["minute", "hour", "day"]

Clock = Callable[[], int]
"""Milliseconds since the epoch, now."""


class Window(Protocol):
    """One tumbling window of event time, merged over all shards."""

    @property
    def start_ms(self) -> int: ...
    @property
    def counts(self) -> Mapping[str, int]:
        """Events by type."""

    @property
    def revenue(self) -> Mapping[str, int]:
        """Minor units by currency."""


class Progress(Protocol):
    """How far one application has come on one shard, as of its last commit."""

    @property
    def application(self) -> str: ...
    @property
    def shard(self) -> str: ...
    @property
    def events(self) -> int: ...
    @property
    def watermark_ms(self) -> int: ...
    @property
    def updated_at(self) -> int: ...


class ReadModel(Protocol):
    """Reads of the stores; blocking, so never called on the event loop. Raises RetryLater when a store does not answer."""

    def windows(self, granularity: Granularity, start_ms: int, end_ms: int) -> Sequence[Window]:
        """The windows that begin in [start, end), oldest first; windows without events may be left out."""

    def progress(self) -> Sequence[Progress]:
        """One row per application and shard."""

    def complete_to(self) -> int | None:
        """Windows that end at or before this time are complete; None before the first commit."""
