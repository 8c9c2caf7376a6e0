"""One shard, from lease to lease lost: records → fold → effects → snapshot → checkpoint.

:meth:`ShardLoop.process_records` is the path every record takes; the rest of the file is what happens at the edges of a lease.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from math import inf
from threading import Event as Flag
from typing import Any, Protocol

import structlog

from clickstream.completeness import Arrival, told_range
from clickstream.errors import Fenced, RetryLater, Stop
from clickstream.records.routing import Shard
from consumers.runtime.application import Application, Sink, holds_back
from consumers.runtime.faults.patience import Patience
from consumers.runtime.faults.stumbling import Footing, Stumble
from consumers.runtime.faults.waiting import Waiting
from consumers.runtime.loop.checkpointing import CommitPolicy
from consumers.runtime.loop.commits import Commits, Landed, Store
from consumers.runtime.loop.decoding import position_of
from consumers.runtime.loop.folding import Folding
from consumers.runtime.loop.wire import Checkpointer, CheckpointFailed, ProcessRecords, Record
from consumers.runtime.loop.writing import DeadLetters, SinkBroke, Writing
from consumers.runtime.position import Position
from consumers.runtime.progress.arrivals import Arrivals
from consumers.runtime.progress.latency import LatencySamples
from consumers.runtime.state.parents import Parents
from consumers.runtime.state.shard_state import ShardState
from consumers.runtime.state.snapshots import Commit, Lease

log = structlog.get_logger()

#: Everything that a shutdown does must fit in here; KCL's own grace is longer (consumers.runtime.worker.properties).
DRAIN_S = 20.0
#: KCL tells a worker that its lease is gone within a second or two. One that is still served so long after it was fenced does
#: own the shard: what fenced it was a zombie that took its epoch late.
FENCED_S = 10.0


class Surroundings(Protocol):
    """The I/O that a shard loop is given: real in ``consumers.runtime.worker.child``, simulated in tests/simulation."""

    @property
    def store(self) -> Store: ...

    @property
    def dead_letters(self) -> DeadLetters: ...

    def describe(self, shard_id: str) -> Shard:
        """The shard's hash range and parents."""

    def children_of(self, shard_id: str) -> Sequence[Shard]:
        """The shards that a split or a merge has made of this one."""

    def open_sink(self, shard_id: str) -> Sink: ...


class ShardLoop:
    """A ``ShardProcessor`` that keeps the five invariants of ARCHITECTURE.md for one application."""

    def __init__(
        self,
        application: Application,
        surroundings: Surroundings,
        *,
        policy: CommitPolicy,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        monotonic_s: Callable[[], float] = time.monotonic,
        servers_clock: Callable[[], tuple[int, float] | None] = lambda: None,
        executor: Executor | None = None,
        gone: Flag | None = None,
    ) -> None:
        self._application = application
        self._io = surroundings
        self._shard_id = ""
        self._policy = policy
        self._clock_ms = clock_ms
        self._monotonic_s = monotonic_s
        #: (an AWS server's clock in ms, ours in s) at its last answer.
        self._servers_clock = servers_clock
        self._executor = executor or ThreadPoolExecutor(1, thread_name_prefix="commits")
        #: Set once the shard is no longer ours: nothing is written from then on, and waiting loops end.
        self._gone = gone or Flag()
        self.waiting = Waiting(self._place, clock=monotonic_s, clock_ms=clock_ms)
        self._patience = Patience(stop=self._gone, report=self._report_outage, waiting=self.waiting)
        self._fenced_since = inf
        #: Whether the next process knows of the bug that ends this one.
        self.remembered_a_bug = False
        self._latency = LatencySamples()
        self._unwritten = 0
        self._last_effects_ms = 0
        self._uncommitted = 0
        self._in_flight_records = 0
        self._first_uncommitted_ms = 0
        self._delivered: Position | None = None
        self._durable: Position | None = None
        self._checkpointed: Position | None = None
        self._last_checkpoint_ms = 0
        self._last_write_ms = 0
        self._log = log.bind(application=application.name)

    # the path of every record

    def process_records(self, batch: ProcessRecords, checkpointer: Checkpointer, acknowledge: Callable[[], None]) -> None:
        if self._gone.is_set():
            self._leave_if_still_served()
            return
        delivered_s = self._monotonic_s()
        with self._answering():
            self._settle(checkpointer)
            acknowledge()  # from here on the daemon encodes the next batch beside our work
            for part, applied in self._folding.parts(batch.records):
                self._note(part, applied)
                if self._footing.commits_each:
                    self._drain(ended=False, deadline_s=None)
            self._arrived(batch, delivered_s)
            self._commit_if_due()

    def idle(self) -> None:
        """What is due is due also while no batch comes: effects, a commit, the flush and the heartbeat of a quiet shard."""
        if self._gone.is_set() or not self._shard_id:
            return
        with self._answering():
            self._arrivals.waited()
            self._landed(self._commits.finished())
            self._commit_if_due()

    def _settle(self, checkpointer: Checkpointer) -> None:
        """Take note of a commit that has become durable, and let KCL's checkpoint follow it."""
        self._landed(self._commits.finished())
        if self._policy.checkpoint_is_due(self._now_ms(), last_checkpoint_ms=self._last_checkpoint_ms):
            self._checkpoint(checkpointer)

    def _arrived(self, batch: ProcessRecords, delivered_s: float) -> None:
        if (heard := self._servers_clock()) is not None:
            self._arrivals.heard(*heard)
        arrived_ms = batch.records[-1].approximate_arrival_timestamp if batch.records else None
        self._arrivals.folded(delivered_s, self._monotonic_s(), arrived_ms, batch.millis_behind_latest)
        if batch.records:
            self._delivered = position_of(batch.records[-1])

    def _note(self, records: Sequence[Record], applied: int) -> None:
        if applied:
            if not self._uncommitted:
                self._first_uncommitted_ms = self._now_ms()
            self._uncommitted += applied
            self._unwritten += applied
            self._latency.arrived(records)

    def _commit_if_due(self) -> None:
        now = self._now_ms()
        if self._policy.must_wait(not_durable=self._uncommitted + self._in_flight_records):
            self._landed(self._commits.wait(None))
        if self._commits.in_flight:
            return
        if self._policy.commit_is_due(now, first_uncommitted_ms=self._first_uncommitted_ms, uncommitted=self._uncommitted):
            # a shard with nothing more to do flushes at its next heartbeat
            self._start_commit(flush=False)
        elif self._policy.effects_are_due(now, last_written_ms=self._last_effects_ms, unwritten=self._unwritten):
            self._start_effects(now)
        elif (
            self._arrivals.behind_ms is not None
            and self._arrivals.served(self._monotonic_s())
            and not self._uncommitted
            and self._policy.heartbeat_is_due(now, last_write_ms=self._last_write_ms)
        ):
            self._flush()
            self._last_write_ms = now
            self._commits.start_heartbeat(self._arrivals.behind_ms, self._told(), self._clock_ms())

    def _flush(self) -> None:
        """Write what was held back while the shard was busy; the position is the same, so the sink needs no commit."""
        if effects := self._effects(flush=True):
            self._writing.write(effects, self._state.position)

    def _start_effects(self, now: int) -> None:
        """Show what was folded without waiting for the next commit."""
        self._unwritten, self._last_effects_ms = 0, now
        self._latency.write_started()
        self._commits.start_effects(self._effects(flush=False), self._state.position)

    def _start_commit(self, *, flush: bool, ended: bool = False) -> None:
        full = self._commits.wants_full
        state = self._folding.encoded(full=full)
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
        self._in_flight_records, self._uncommitted, self._unwritten = self._uncommitted, 0, 0
        self._last_write_ms = self._last_effects_ms = self._now_ms()
        self._commits.start(commit, effects, self._clock_ms())

    def _effects(self, *, flush: bool) -> Sequence[Any]:
        """What is to be written next: nothing more is told before it is."""
        effects = self._folding.effects(flush=flush)
        self._arrivals.given(whole=flush or not holds_back(self._state.fold))
        return effects

    def _told(self) -> Arrival:
        return self._arrivals.told(self._state.lateness.encoded())

    def _landed(self, landed: Landed) -> None:
        if landed is not None:
            self._latency.write_ended(self._clock_ms())
        if isinstance(landed, Commit):
            self._durable = landed.position
            self._in_flight_records = 0

    def _checkpoint(self, checkpointer: Checkpointer) -> None:
        """KCL's position follows the durable one; it may not pass what KCL has delivered in this run."""
        if self._durable is None or self._delivered is None:
            return
        position = min(self._durable, self._delivered)
        if position == self._checkpointed:
            return
        self._last_checkpoint_ms = self._now_ms()
        try:
            checkpointer.checkpoint(str(position.sequence), position.sub)
        except CheckpointFailed as failed:
            if failed.lease_is_gone:
                raise Fenced(str(failed)) from failed
            # nothing is lost: the next checkpoint covers it, and a restart drops what the snapshot has
            self._log.warning("checkpoint failed, trying again later", error=failed.error, position=str(position))
        else:
            self._checkpointed = position

    # the edges of a lease

    def initialize(self, shard_id: str, sequence_number: str | None, sub_sequence_number: int | None) -> None:
        self._shard_id = shard_id
        self._log = self._log.bind(shard=shard_id)
        shard = self._patience.call(lambda: self._io.describe(shard_id))
        hash_range = told_range(shard.hash_range)
        lease = self._patience.call(lambda: self._io.store.take(shard_id, self._clock_ms(), hash_range))
        self._state = ShardState(self._application.name, self._application.open_fold(shard_id), shard.hash_range)
        if lease.position is not None:
            self._state.restore(self._patience.call(lambda: self._io.store.read(lease)), lease.position)
        else:
            for parent in shard.parents:
                self._inherit(parent)
        self._arrivals = Arrivals(hash_range, lease.arrival)
        self._refuse_a_leading_checkpoint(sequence_number, sub_sequence_number)
        self._footing = Footing(lease.stumble)
        place = {"application": self._application.name, "shard": shard_id}
        letters, sink = self._io.dead_letters, self._patience.call(lambda: self._io.open_sink(shard_id))
        self._writing = Writing(sink, letters, self._patience, self._footing, **place, now_ms=self._clock_ms)
        store, patience, remember = self._io.store, self._patience, partial(self._remember, lease)
        self._folding = Folding(self._state, self._footing, letters, patience, **place, remember=remember)
        parents = Parents(shard, store, self._io.children_of, self._monotonic_s)
        self._commits = Commits(
            lease=lease, parents=parents, store=store, writing=self._writing, patience=patience, executor=self._executor
        )
        self._log.info("lease taken", epoch=lease.epoch, position=str(self._state.position))

    def _inherit(self, parent: str) -> None:
        lease = self._patience.call(lambda: self._io.store.look(parent))
        if lease is None or lease.position is None:
            return  # the application never read the parent: it began later, or the parent's records had expired
        if not lease.ended:
            raise Stop(f"{self._shard_id} starts before its parent {parent} has committed its end")
        if not lease.manifest.chain:
            raise Stop(f"{self._shard_id} has no commit of its own, but its parent's snapshots are deleted: {parent}")
        self._state.inherit(self._patience.call(lambda: self._io.store.read(lease)))

    def _refuse_a_leading_checkpoint(self, sequence_number: str | None, sub_sequence_number: int | None) -> None:
        """KCL's checkpoint may lag the snapshot but never lead it: what lies between would be skipped."""
        if sequence_number is None or not sequence_number.isdecimal():
            return
        checkpoint = Position(int(sequence_number), sub_sequence_number or 0)
        if checkpoint > self._state.position:
            raise Stop(
                f"{self._shard_id}: KCL's checkpoint {checkpoint} leads the last snapshot {self._state.position}; "
                "restore the snapshots, or delete the lease table to read the stream again"
            )

    def shutdown_requested(self, checkpointer: Checkpointer) -> None:
        if self._gone.is_set():
            return
        with self._answering():
            try:
                self._drain(ended=False, deadline_s=DRAIN_S)
            except TimeoutError as error:
                raise Stop(f"{self._shard_id}: the stores have taken longer than {DRAIN_S:g} s") from error
            self._checkpoint(checkpointer)

    def shard_ended(self, checkpointer: Checkpointer) -> None:
        if self._gone.is_set():
            self._leave_if_still_served()
            return
        with self._answering():
            # An owner that died between this commit and KCL's checkpoint leaves a shard that ends once more.
            if not self._commits.ended:
                # without a deadline: the children may only start from what is committed here
                self._drain(ended=True, deadline_s=None)
            self._patience.call(lambda: _checkpoint_the_end(checkpointer))
            self._log.info("shard ended", position=str(self._state.position))

    def lease_lost(self) -> None:
        if not self._gone.is_set():
            self._gone.set()
            self._log.info("lease lost", **self._place())

    def _remember(self, lease: Lease, stumble: Stumble) -> None:
        self._io.store.stumbled(lease, stumble)
        self.remembered_a_bug = True

    def _drain(self, *, ended: bool, deadline_s: float | None) -> None:
        """Make everything folded so far durable. Raises TimeoutError when the stores take longer than ``deadline_s``."""
        started = self._monotonic_s()
        self._landed(self._commits.wait(deadline_s))
        if self._uncommitted or ended:
            self._start_commit(flush=True, ended=ended)
            left_s = None if deadline_s is None else max(0.0, deadline_s - (self._monotonic_s() - started))
            self._landed(self._commits.wait(left_s))
        else:
            self._flush()

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Whoever is fenced stands still; a bug in the sink is remembered, as the fold's are, and ends the process."""
        try:
            yield
        except Fenced as fenced:
            self._stand_still(str(fenced))
        except SinkBroke as broke:
            self._folding.stumbled("write", broke)
            raise

    def _stand_still(self, why: str) -> None:
        """Write nothing any more, and answer the daemon until it ends us: leaving would take its other shards down."""
        self._gone.set()
        self._fenced_since = self._monotonic_s()
        self._log.warning("no longer the owner: standing still", why=why, **self._place())

    def _leave_if_still_served(self) -> None:
        """Standing still helps nobody when the lease is ours after all: a new process takes a newer epoch than the zombie's."""
        if self._monotonic_s() - self._fenced_since > FENCED_S:
            raise Fenced(
                f"{self._shard_id}: fenced {FENCED_S:g} s ago, but KCL has left us the lease: a new process must take it"
            )

    def _now_ms(self) -> int:  # for intervals, which a clock that is set back must not lengthen
        return int(self._monotonic_s() * 1000)

    def _report_outage(self, error: RetryLater, attempt: int) -> None:
        if attempt == 1 or attempt % 10 == 0:
            self._log.warning("waiting for a dependency", error=str(error), attempt=attempt, **self._place())

    def _place(self) -> dict[str, str]:
        """Where the shard stands, for a log line; nothing before its state is there."""
        state = getattr(self, "_state", None)
        return {} if state is None else {"position": str(state.position)}


def _checkpoint_the_end(checkpointer: Checkpointer) -> None:
    try:
        checkpointer.checkpoint(None, None)
    except CheckpointFailed as failed:
        raise (Fenced if failed.lease_is_gone else RetryLater)(str(failed)) from failed
