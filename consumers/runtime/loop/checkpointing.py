"""When to commit: decisions as values, with the time as an argument: of a monotonic clock, since a wall clock is set back."""

import msgspec

from clickstream.consumers.runtime.loop.opening import SLICE_BYTES


class Backlog(msgspec.Struct):
    """What a shard has folded and not made durable, in events, and when it last wrote to the stores (ms)."""

    unwritten: int = 0
    """Their effects are not written."""
    uncommitted: int = 0
    """No commit that covers them has started."""
    in_flight: int = 0
    """The commit that covers them is under way."""
    first_uncommitted_ms: int = 0
    folded_ms: int = 0
    """When the last of them came."""
    effects_ms: int = 0
    """When effects were last written, alone or with a commit."""
    write_ms: int = 0
    """When a commit or a heartbeat was last started."""

    def folded(self, events: int, now_ms: int) -> None:
        if not self.uncommitted:
            self.first_uncommitted_ms = now_ms
        self.folded_ms = now_ms
        self.uncommitted += events
        self.unwritten += events

    def effects_started(self, now_ms: int) -> None:
        self.unwritten, self.effects_ms = 0, now_ms

    def commit_started(self, now_ms: int) -> None:
        self.in_flight, self.uncommitted, self.unwritten = self.uncommitted, 0, 0
        self.write_ms = self.effects_ms = now_ms


class CommitPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How late an answer may be and how much work a crash may repeat, against how often the stores are written.

    Effects alone may be written more often than state: they are idempotent, and a crash in between only writes them again. A
    commit writes effects, one snapshot object and one conditional item; KCL's checkpoint only saves redelivery (records up to
    the snapshot's position are dropped anyway), so it follows at its own, slower pace.
    """

    effects_interval_ms: int = 200
    """Effects are written at most this often; the first after a pause at once."""
    interval_ms: int = 20_000
    """A commit starts at most this long after the first uncommitted event: an object on S3, and rows."""
    quiet_ms: int = 1_000
    """… or once nothing has come for so long: only a busy shard lets its answers wait."""
    max_events: int = 50_000
    """… or as soon as this many events are uncommitted."""
    window_events: int = 100_000
    """With this many events folded and not yet durable, the shard waits: memory is bounded, Kinesis keeps the rest."""
    slice_bytes: int = SLICE_BYTES
    """Of text that is folded before any of this is looked at again."""
    checkpoint_interval_ms: int = 3_000
    heartbeat_ms: int = 1_000
    """An idle shard reports that it is caught up at most this often."""
    busy_heartbeat_ms: int = 8_000
    """A shard that has said nothing for so long reports how far it is, though its next commit is not due."""

    def commit_is_due(self, backlog: Backlog, now_ms: int) -> bool:
        uncommitted = backlog.uncommitted
        waited = now_ms - backlog.first_uncommitted_ms >= self.interval_ms or now_ms - backlog.folded_ms >= self.quiet_ms
        return uncommitted >= self.max_events or (uncommitted > 0 and waited)

    def effects_are_due(self, backlog: Backlog, now_ms: int) -> bool:
        return backlog.unwritten > 0 and now_ms - backlog.effects_ms >= self.effects_interval_ms

    def must_wait(self, backlog: Backlog) -> bool:
        return backlog.uncommitted + backlog.in_flight >= self.window_events

    def heartbeat_is_due(self, backlog: Backlog, now_ms: int) -> bool:
        return now_ms - backlog.write_ms >= (self.busy_heartbeat_ms if backlog.uncommitted else self.heartbeat_ms)

    def checkpoint_is_due(self, now_ms: int, *, last_checkpoint_ms: int) -> bool:
        return now_ms - last_checkpoint_ms >= self.checkpoint_interval_ms
