"""One shard's records in order, trimmed at the old end.

Appending and trimming cost amortised O(1); finding a position costs O(log n) at most: reads do not slow as the log grows.
"""

from __future__ import annotations

from bisect import bisect_left

import msgspec


class Record(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A record at rest. ``gc=False``: it refers to no containers, and millions of them must not slow the collector."""

    counter: int
    """Rises by one from record to record, except over a restart of a durable server, where it leaves a gap."""
    arrival_ms: int
    partition_key: str
    data: bytes
    size: int
    """Bytes of data and partition key, as every limit counts them."""
    encrypted: bool = False
    """Whether the stream was encrypted when the record was put."""


#: Replaces a trimmed record until the list is compacted, so that its data is freed at once.
_TRIMMED = Record(-1, 0, "", b"", 0)
_COMPACT_FROM = 1024


class ShardLog:
    """Records with rising counters and non-decreasing arrival times."""

    __slots__ = ("_head", "_records", "last_arrival_ms", "next_counter", "size")

    def __init__(self, next_counter: int = 1, last_arrival_ms: int = 0) -> None:
        self._records: list[Record] = []
        self._head = 0
        self.next_counter = next_counter
        """Counter of the next record to be appended: the position of LATEST."""
        self.last_arrival_ms = last_arrival_ms
        self.size = 0
        """Bytes retained."""

    def __len__(self) -> int:
        return len(self._records) - self._head

    @property
    def first_counter(self) -> int:
        """Counter of the oldest retained record, or of the next one: the position of TRIM_HORIZON."""
        return self._records[self._head].counter if len(self) else self.next_counter

    def append(self, partition_key: str, data: bytes, size: int, now_ms: int, *, encrypted: bool = False) -> Record:
        """Add a record that arrives now. Arrival times do not step back when the clock does."""
        arrival_ms = now_ms if now_ms > self.last_arrival_ms else self.last_arrival_ms
        record = Record(self.next_counter, arrival_ms, partition_key, data, size, encrypted)
        self.restore(record)
        return record

    def restore(self, record: Record) -> None:
        """Add a record that an earlier process appended; its counter must not be below ``next_counter``."""
        self._records.append(record)
        self.next_counter = record.counter + 1
        self.last_arrival_ms = record.arrival_ms
        self.size += record.size

    def trim(self, horizon_ms: int, max_bytes: int | None) -> None:
        """Drop what arrived before ``horizon_ms``, and the oldest records above ``max_bytes`` in all."""
        records, head = self._records, self._head
        while head < len(records) and (
            records[head].arrival_ms < horizon_ms or (max_bytes is not None and self.size > max_bytes)
        ):
            self.size -= records[head].size
            records[head] = _TRIMMED
            head += 1
        if head > _COMPACT_FROM and head * 2 > len(records):
            del records[:head]
            head = 0
        self._head = head

    def read(self, counter: int, limit: int, max_bytes: int) -> list[Record]:
        """Records from ``counter`` on: at most ``limit``, and at most ``max_bytes`` unless the first alone is larger."""
        at = self._index(counter)
        end = min(at + limit, len(self._records))
        total = 0
        for index in range(at, end):
            total += self._records[index].size
            if total > max_bytes and index > at:
                return self._records[at:index]
        return self._records[at:end]

    def peek(self, counter: int) -> Record | None:
        """The first record at or after ``counter``, if there is one yet."""
        at = self._index(counter)
        return self._records[at] if at < len(self._records) else None

    def counter_at_time(self, timestamp_ms: int) -> int:
        """Counter of the first record that arrived at or after a time: the position of AT_TIMESTAMP."""
        at = bisect_left(self._records, timestamp_ms, lo=self._head, key=_arrival)
        return self._records[at].counter if at < len(self._records) else self.next_counter

    def _index(self, counter: int) -> int:
        records, head = self._records, self._head
        if counter >= self.next_counter or head == len(records):
            return len(records)
        guess = head + counter - records[head].counter
        if guess <= head:
            return head
        if guess < len(records) and records[guess].counter == counter:  # always, unless there is a gap
            return guess
        return bisect_left(records, counter, lo=head, key=_counter)


def _arrival(record: Record) -> int:
    return record.arrival_ms


def _counter(record: Record) -> int:
    return record.counter
