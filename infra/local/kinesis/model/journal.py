"""Where a model reports every change that must outlive the process."""

from __future__ import annotations

from typing import Protocol

from clickstream.infra.local.kinesis.model.log import Record
from clickstream.infra.local.kinesis.model.streams import Stream


class Journal(Protocol):
    """:class:`~clickstream.infra.local.kinesis.storage.durable.DurableJournal` writes it to disk."""

    def appended(self, stream: Stream, records: list[tuple[int, Record]]) -> None:
        """Records were added to shards (by index)."""

    def changed(self, stream: Stream) -> None:
        """A stream's state, its shards included, has changed."""

    def removed(self, stream: Stream) -> None:
        """A stream is gone."""


class NullJournal:
    """Nothing outlives the process."""

    def appended(self, stream: Stream, records: list[tuple[int, Record]]) -> None: ...

    def changed(self, stream: Stream) -> None: ...

    def removed(self, stream: Stream) -> None: ...
