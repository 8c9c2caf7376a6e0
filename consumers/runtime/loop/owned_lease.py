"""One shard while its lease is ours: records → fold → effects → snapshot → checkpoint.

:meth:`OwnedLease.process_records` is the path that every record takes. How a lease is taken and left is the matter of
:mod:`clickstream.consumers.runtime.loop.shard_loop`.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any, NamedTuple, Protocol

from clickstream.application import Sink, forgotten, holds_back
from clickstream.consumers.runtime.faults.dead_letters import DeadLetters, Letters
from clickstream.consumers.runtime.faults.patience import Patience
from clickstream.consumers.runtime.faults.stumbling import Footing, Stumble
from clickstream.consumers.runtime.loop.checkpointing import Backlog, CommitPolicy
from clickstream.consumers.runtime.loop.commits import Commits, Landed
from clickstream.consumers.runtime.loop.folding import Folding
from clickstream.consumers.runtime.loop.kcl_checkpoint import KclCheckpoint
from clickstream.consumers.runtime.loop.opening import Opened
from clickstream.consumers.runtime.loop.wire import Checkpointer, ProcessRecords
from clickstream.consumers.runtime.loop.writing import Writing
from clickstream.consumers.runtime.progress.arrivals import Arrivals
from clickstream.consumers.runtime.progress.latency import LatencySamples
from clickstream.consumers.runtime.state.parents import Parents
from clickstream.consumers.runtime.state.shard_state import ShardState
from clickstream.consumers.runtime.state.snapshots import Commit, Lease, Store
from clickstream.progress.completeness import Arrival, told_range
from clickstream.records.position import Position
from clickstream.records.routing import Shard


class Surroundings(Protocol):
    """The I/O that a shard loop is given: real in ``consumers.runtime.worker.child``, simulated in load/simulation."""

    @property
    def store(self) -> Store: ...

    @property
    def dead_letters(self) -> DeadLetters: ...

    def describe(self, shard_id: str) -> Shard:
        """The shard's hash range and parents."""

    def children_of(self, shard_id: str) -> Sequence[Shard]:
        """The shards that a split or a merge has made of this one."""

    def open_sink(self, shard_id: str) -> Sink: ...


class Clocks(NamedTuple):
    """Those of one shard's process; tests turn theirs by hand."""

    wall_ms: Callable[[], int]
    """Milliseconds since the epoch."""
    monotonic_s: Callable[[], float]
    servers: Callable[[], tuple[int, float] | None]
    """(an AWS server's clock in ms, ``monotonic_s``) at its last answer."""

    def interval_ms(self) -> int:
        """For intervals, which a wall clock that is set back must not lengthen."""
        return int(self.monotonic_s() * 1000)


class OwnedLease:
    """All methods raise Fenced when a newer owner is there, and SinkBroke at a bug in the sink."""

    def __init__(
        self,
        application: str,
        shard: Shard,
        lease: Lease,
        state: ShardState,
        surroundings: Surroundings,
        *,
        policy: CommitPolicy,
        clocks: Clocks,
        patience: Patience,
        executor: Executor,
        remember: Callable[[Stumble], None],
    ) -> None:
        """``state``: as of the lease's last commit. ``remember`` puts a stumble where the next process finds it."""
        store = surroundings.store
        letters = Letters(surroundings.dead_letters, patience, application=application, shard=shard.shard_id)
        self._state = state
        self._policy = policy
        self._clocks = clocks
        self._backlog = Backlog()
        self._latency = LatencySamples()
        self._arrivals = Arrivals(told_range(shard.hash_range), lease.arrival)
        self._log = letters.log
        self._checkpoint = KclCheckpoint(self._log)
        self._forgotten = 0
        self._footing = Footing(lease.stumble)
        self.folding = Folding(state, self._footing, letters, slice_bytes=policy.slice_bytes, remember=remember)
        sink = patience.call(lambda: surroundings.open_sink(shard.shard_id))
        self._writing = Writing(sink, self._footing, letters, clocks.wall_ms)
        parents = Parents(shard, store, surroundings.children_of, clocks.monotonic_s)
        self.commits = Commits(
            lease=lease, parents=parents, store=store, writing=self._writing, patience=patience, executor=executor
        )

    @property
    def position(self) -> Position:
        return self._state.position

    # the path of every record

    def process_records(self, batch: ProcessRecords, checkpointer: Checkpointer, acknowledge: Callable[[], None]) -> None:
        delivered_s = self._clocks.monotonic_s()
        self._settle(checkpointer)
        acknowledge()  # from here on the daemon encodes the next batch beside our work
        for number, part in enumerate(self.folding.parts(batch.records)):
            if number:
                self._go_on()  # one batch may hold a hundred thousand events
            self._note(part, self.folding.fold(part))
            if self._footing.commits_each:
                self.drain(ended=False, deadline_s=None)
        self._arrived(batch, delivered_s)
        self._go_on()

    def idle(self) -> None:
        """What is due is due also while no batch comes: effects, a commit, the flush and the heartbeat of a quiet shard."""
        self._arrivals.waited()
        self._go_on()

    def _go_on(self) -> None:
        self._landed(self.commits.finished())
        self._commit_if_due()

    def _settle(self, checkpointer: Checkpointer) -> None:
        """Take note of a commit that has become durable, and let KCL's checkpoint follow it."""
        self._landed(self.commits.finished())
        if self._policy.checkpoint_is_due(self._clocks.interval_ms(), last_checkpoint_ms=self._checkpoint.asked_ms):
            self.checkpoint(checkpointer)

    def _note(self, part: Sequence[Opened], events: int) -> None:
        self._backlog.folded(events, self._clocks.interval_ms())
        self._latency.arrived([each.record for each in part])
        self._checkpoint.folded(part[-1])

    def _arrived(self, batch: ProcessRecords, delivered_s: float) -> None:
        if (heard := self._clocks.servers()) is not None:
            self._arrivals.heard(*heard)
        arrived_ms = batch.records[-1].approximate_arrival_timestamp if batch.records else None
        self._arrivals.folded(delivered_s, self._clocks.monotonic_s(), arrived_ms, batch.millis_behind_latest)

    def _commit_if_due(self) -> None:
        now, backlog = self._clocks.interval_ms(), self._backlog
        if self._policy.must_wait(backlog):
            self._landed(self.commits.wait(None))
        if self.commits.in_flight:
            return
        if self._policy.commit_is_due(backlog, now):
            # a shard with nothing more to do flushes at its next heartbeat
            self._start_commit(flush=False)
        elif self._policy.effects_are_due(backlog, now):
            self._start_effects(now)
        elif (
            self._arrivals.behind_ms is not None
            and self._arrivals.served(self._clocks.monotonic_s())
            and self._policy.heartbeat_is_due(backlog, now)
        ):
            if not backlog.uncommitted:
                self._flush()
            backlog.write_ms = now
            self.commits.start_heartbeat(self._arrivals.behind_ms, self._told(), self._clocks.wall_ms())

    # what is written

    def _flush(self) -> None:
        """Write what was held back while the shard was busy; the position is the same, so the sink needs no commit."""
        if effects := self._effects(flush=True):
            self._writing.write(effects, self._state.position)

    def _start_effects(self, now: int) -> None:
        """Show what was folded without waiting for the next commit."""
        self._backlog.effects_started(now)
        self._latency.write_started()
        self.commits.start_effects(self.folding.preview(), self._state.position)

    def _start_commit(self, *, flush: bool, ended: bool = False) -> None:
        full = self.commits.wants_full
        state = self.folding.encoded(full=full)
        effects = self._effects(flush=flush)
        commit = Commit(
            position=self._state.position,
            state=state,
            full=full,
            progress=self._state.progress,
            behind_ms=self._arrivals.behind_ms or 0,
            arrival=self._told(),
            latency=self._latency.encoded(),
            ended=ended,
            stumble=self._footing.for_commit(self._state.position),
        )
        self._latency.write_started()
        self._backlog.commit_started(self._clocks.interval_ms())
        self.commits.start(commit, effects, self._clocks.wall_ms())

    def _effects(self, *, flush: bool) -> Sequence[Any]:
        """What is to be written next; nothing more is reported as visible before it is."""
        effects = self.folding.effects(flush=flush)
        self._arrivals.given(holds_back(self._state.fold))
        if (so_far := forgotten(self._state.fold)) > self._forgotten:
            self._forgotten = so_far
            self._log.warning("the state is full: its oldest entries are forgotten before their time", so_far=so_far)
        return effects

    def _told(self) -> Arrival:
        return self._arrivals.told(self._state.lateness.encoded())

    def _landed(self, landed: Landed) -> None:
        if landed is not None:
            self._latency.write_ended(self._clocks.wall_ms())
        if isinstance(landed, Commit):
            self._checkpoint.committed(landed.position)
            self._backlog.in_flight = 0

    # the end of the lease

    def checkpoint(self, checkpointer: Checkpointer) -> None:
        """Let KCL's checkpoint follow what is durable."""
        self._checkpoint.follow(checkpointer, self._clocks.interval_ms())

    def drain(self, *, ended: bool, deadline_s: float | None) -> None:
        """Make everything folded so far durable. Raises TimeoutError when the stores take longer than ``deadline_s``."""
        started = self._clocks.monotonic_s()
        self._landed(self.commits.wait(deadline_s))
        if self._backlog.uncommitted or ended:
            self._start_commit(flush=True, ended=ended)
            left_s = None if deadline_s is None else max(0.0, deadline_s - (self._clocks.monotonic_s() - started))
            self._landed(self.commits.wait(left_s))
        else:
            self._flush()
