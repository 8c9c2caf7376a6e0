"""What Kinesis allows, and how much of it one publisher takes. Seconds are floats of any monotonic clock."""

import msgspec

from clickstream.producers.publisher.packing import Records
from clickstream.records import blocks

MAX_KEY_CHARACTERS = 256
MAX_KEY_BYTES = 4 * MAX_KEY_CHARACTERS


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in bytes, times in seconds. Raises ValueError when they contradict each other."""

    records: Records | None = None
    """How events travel; None leaves it to the setting, whose default is zstd."""
    pack_bytes: int | None = None
    """Events in one Kinesis record, before compression; None is what suits the records (``full_bytes``)."""
    pack_lines: int = 2_000
    linger: float = 0.1
    """How long an event waits for company before it is put."""
    time_to_live: float = 60.0
    """An event that could not be put for this long is reported as failed."""
    buffer_bytes: int = 16 * 1024 * 1024
    """Memory for events that are not settled; ``add`` refuses beyond it. One shard takes it in 16 seconds at the longest,
    uncompressed, well inside ``time_to_live``: waiting in a full buffer alone never expires an event."""
    record_bytes: int = 1024 * 1024
    """Data and partition key of one Kinesis record."""
    put_records: int = 500
    put_bytes: int = 5 * 1024 * 1024
    shard_bytes_per_second: float = 1024 * 1024
    shard_records_per_second: float = 1_000
    shard_share: float = 0.976
    """The share of a shard's write limits that this publisher takes; several publishers divide it among them."""
    backoff: float = 0.05
    """The first retry's longest wait; it doubles with every failure in a row up to ``backoff_limit``."""
    backoff_limit: float = 2.0

    def __post_init__(self) -> None:
        if self.full_bytes + MAX_KEY_BYTES > self.record_bytes:
            raise ValueError("what is packed and its partition key must fit into a record")
        if self.full_bytes > blocks.MOST_BYTES or self.pack_lines > blocks.MOST_LINES:
            raise ValueError("what is packed must fit into a block that readers take")
        if self.record_bytes > min(self.put_bytes, self.buffer_bytes):
            raise ValueError("a record must fit into a put and into the buffer")
        if not 0 < self.shard_share <= 1:
            raise ValueError("shard_share is a fraction of one")

    @property
    def full_bytes(self) -> int:
        """A block's size by measurement (docs/reference/records.md), else the KPL's own.

        Of a KPL's a second of one shard at ``shard_share`` holds 20 at most, which is still under the limit, so that a server
        counting by the second refuses none.
        """
        return self.pack_bytes or (51_200 if self.records in ("kpl", "single") else 256 * 1024)


class Pace:
    """Keeps one shard's puts at its share of the write limits.

    Every put moves the moment of the next one on by the time that its bytes and records are worth, so puts are spread evenly
    instead of coming in bursts that a server counting by the second would refuse.
    """

    #: A put that comes late may be followed sooner by this much: the average stays at the share although threads wake late.
    CATCH_UP = 0.1

    def __init__(self, limits: Limits) -> None:
        self._seconds_per_byte = 1 / (limits.shard_bytes_per_second * limits.shard_share)
        self._seconds_per_record = 1 / (limits.shard_records_per_second * limits.shard_share)
        self._bytes_free_at = self._records_free_at = float("-inf")

    @property
    def free_at(self) -> float:
        """No put before this moment."""
        return max(self._bytes_free_at, self._records_free_at)

    def spend(self, size: int, now: float) -> None:
        """A record of that size was put."""
        earliest = now - self.CATCH_UP
        self._bytes_free_at = max(self._bytes_free_at, earliest) + size * self._seconds_per_byte
        self._records_free_at = max(self._records_free_at, earliest) + self._seconds_per_record
