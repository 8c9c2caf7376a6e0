"""The buckets that enforce a shard's limits."""

from __future__ import annotations

from clickstream.infra.local.limits.kinesis import (
    SHARD_READ_BYTES_PER_S,
    SHARD_READ_CALLS_PER_S,
    SHARD_WRITE_BYTES_PER_S,
    SHARD_WRITE_RECORDS_PER_S,
)


class Bucket:
    """A token bucket that holds one second's worth. A read of 10 MB may overdraw it; it then refuses until it is refilled."""

    __slots__ = ("_at_ms", "_balance", "_rate")

    def __init__(self, per_s: int, now_ms: int) -> None:
        self._rate = per_s
        self._balance = float(per_s)
        self._at_ms = now_ms

    def holds(self, amount: int, now_ms: int) -> bool:
        """Whether the bucket holds ``amount`` (more than a second's worth counts as a full bucket)."""
        if now_ms > self._at_ms:
            self._balance = min(self._rate, self._balance + (now_ms - self._at_ms) * self._rate / 1000)
            self._at_ms = now_ms
        return self._balance >= min(amount, self._rate)

    def take(self, amount: int) -> None:
        self._balance -= amount


class ShardMeter:
    """The write and read limits of one shard."""

    __slots__ = ("_read_bytes", "_read_calls", "_write_bytes", "_write_records")

    def __init__(self, now_ms: int) -> None:
        self._write_bytes = Bucket(SHARD_WRITE_BYTES_PER_S, now_ms)
        self._write_records = Bucket(SHARD_WRITE_RECORDS_PER_S, now_ms)
        self._read_bytes = Bucket(SHARD_READ_BYTES_PER_S, now_ms)
        self._read_calls = Bucket(SHARD_READ_CALLS_PER_S, now_ms)

    def may_write(self, size: int, now_ms: int) -> bool:
        """Take a record's share of the write limits; False when they are used up."""
        # both are checked before either is charged: a refused record must not use up the other limit
        if not (self._write_bytes.holds(size, now_ms) and self._write_records.holds(1, now_ms)):
            return False
        self._write_bytes.take(size)
        self._write_records.take(1)
        return True

    def may_read(self, now_ms: int) -> bool:
        """Take one call's share of the read limits; False when they are used up."""
        if not (self._read_calls.holds(1, now_ms) and self._read_bytes.holds(1, now_ms)):
            return False
        self._read_calls.take(1)
        return True

    def has_read(self, size: int) -> None:
        """Charge the bytes that a call returned; a large result is paid off over the next seconds."""
        self._read_bytes.take(size)
