"""When to commit: decisions as values, with the time as an argument: of a monotonic clock, since a wall clock is set back."""

from __future__ import annotations

import msgspec


class CommitPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How late an answer may be and how much work a crash may repeat, against how often the stores are written.

    Effects alone may be written more often than state: they are idempotent, and a crash in between only writes them again. A
    commit writes effects, one snapshot object and one conditional item; KCL's checkpoint only saves redelivery (records up to
    the snapshot's position are dropped anyway), so it follows at its own, slower pace.
    """

    effects_interval_ms: int = 200
    """Effects are written at most this often; the first after a pause at once."""
    interval_ms: int = 1_000
    """A commit starts at most this long after the first uncommitted record."""
    max_records: int = 20_000
    """… or as soon as this many records are uncommitted."""
    window_records: int = 100_000
    """With this many records folded and not yet durable, the shard waits: memory is bounded, Kinesis keeps the rest."""
    checkpoint_interval_ms: int = 3_000
    heartbeat_ms: int = 1_000
    """An idle shard tells that it is caught up at most this often."""

    def commit_is_due(self, now_ms: int, *, first_uncommitted_ms: int, uncommitted: int) -> bool:
        return uncommitted > 0 and (uncommitted >= self.max_records or now_ms - first_uncommitted_ms >= self.interval_ms)

    def effects_are_due(self, now_ms: int, *, last_written_ms: int, unwritten: int) -> bool:
        return unwritten > 0 and now_ms - last_written_ms >= self.effects_interval_ms

    def must_wait(self, *, not_durable: int) -> bool:
        return not_durable >= self.window_records

    def checkpoint_is_due(self, now_ms: int, *, last_checkpoint_ms: int) -> bool:
        return now_ms - last_checkpoint_ms >= self.checkpoint_interval_ms

    def heartbeat_is_due(self, now_ms: int, *, last_write_ms: int) -> bool:
        return now_ms - last_write_ms >= self.heartbeat_ms
