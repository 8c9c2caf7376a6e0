"""The edges of a shard's lease: how it is taken, fenced and left. What happens in between is :class:`OwnedLease`'s."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from math import inf
from threading import Event as Flag
from typing import Any

import structlog

from clickstream.application import Application
from clickstream.consumers.runtime.faults.patience import Patience
from clickstream.consumers.runtime.faults.stumbling import Stumble
from clickstream.consumers.runtime.loop.checkpointing import CommitPolicy
from clickstream.consumers.runtime.loop.kcl_checkpoint import checkpoint_the_end, refuse_to_skip
from clickstream.consumers.runtime.loop.owned_lease import Clocks, OwnedLease, Surroundings
from clickstream.consumers.runtime.loop.wire import Checkpointer, ProcessRecords
from clickstream.consumers.runtime.loop.writing import SinkBroke
from clickstream.consumers.runtime.state.shard_state import ShardState
from clickstream.consumers.runtime.state.snapshots import Lease
from clickstream.errors import Fenced, Stop
from clickstream.progress.completeness import told_range
from clickstream.records.routing import Shard

log = structlog.get_logger()

#: Everything that a shutdown does must fit in here; KCL's own grace is longer (consumers.runtime.worker.properties).
DRAIN_S = 20.0
#: KCL tells a worker that its lease is gone within a second or two. One that is still served so long after it was fenced does
#: own the shard: what fenced it was a zombie that took its epoch late.
FENCED_S = 10.0


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
        self._clocks = Clocks(clock_ms, monotonic_s, servers_clock)
        self._executor = executor or ThreadPoolExecutor(1, thread_name_prefix="commits")
        #: Set once the shard is no longer ours: nothing is written from then on, and waiting loops end.
        self._gone = gone or Flag()
        self.patience = Patience(self._gone, self._here, clock=monotonic_s, clock_ms=clock_ms)
        self._owned: OwnedLease | None = None
        self._fenced_since = inf
        #: Whether the next process knows of the bug that ends this one.
        self.remembered_a_bug = False
        self._log = log.bind(application=application.name)

    # taking a lease

    def initialize(self, shard_id: str, sequence_number: str | None, sub_sequence_number: int | None) -> None:
        self._shard_id = shard_id
        self._log = self._log.bind(shard=shard_id)
        shard = self.patience.call(lambda: self._io.describe(shard_id))
        keys = told_range(shard.hash_range)
        lease = self.patience.call(lambda: self._io.store.take(shard_id, self._clocks.wall_ms(), keys))
        state = self._state_of(lease, shard)
        refuse_to_skip(shard_id, sequence_number, sub_sequence_number, state.position)
        self._owned = OwnedLease(
            self._application.name,
            shard,
            lease,
            state,
            self._io,
            policy=self._policy,
            clocks=self._clocks,
            patience=self.patience,
            executor=self._executor,
            remember=partial(self._remember, lease),
        )
        self._log.info("lease taken", epoch=lease.epoch, position=str(state.position))

    def _state_of(self, lease: Lease, shard: Shard) -> ShardState:
        """As of the shard's last commit, or of its parents' ends when it has none yet."""
        state = ShardState(self._application.name, self._application.open_fold(shard.shard_id), shard.hash_range)
        if lease.position is not None:
            state.restore(self.patience.call(lambda: self._io.store.read(lease)), lease.position)
        else:
            for parent in shard.parents:
                self._inherit(state, parent)
        return state

    def _inherit(self, state: ShardState, parent: str) -> None:
        lease = self.patience.call(lambda: self._io.store.look(parent))
        if lease is None or lease.position is None:
            return  # the application never read the parent: it began later, or the parent's records had expired
        if not lease.ended:
            raise Stop(f"{self._shard_id} starts before its parent {parent} has committed its end")
        if not lease.manifest.chain:
            raise Stop(f"{self._shard_id} has no commit of its own, but its parent's snapshots are deleted: {parent}")
        state.inherit(self.patience.call(lambda: self._io.store.read(lease)))

    def _remember(self, lease: Lease, stumble: Stumble) -> None:
        self._io.store.stumbled(lease, stumble)
        self.remembered_a_bug = True

    # while it is ours

    def process_records(self, batch: ProcessRecords, checkpointer: Checkpointer, acknowledge: Callable[[], None]) -> None:
        if self._gone.is_set():
            self._leave_if_still_served()
            return
        with self._ours() as owned:
            owned.process_records(batch, checkpointer, acknowledge)

    def idle(self) -> None:
        if self._owned is None or self._gone.is_set():
            return
        with self._ours() as owned:
            owned.idle()

    @contextmanager
    def _ours(self) -> Iterator[OwnedLease]:
        """A process that is fenced stands still; a bug in the sink is remembered, as the fold's are, and ends the process."""
        assert self._owned is not None
        try:
            yield self._owned
        except Fenced as fenced:
            self._stand_still(str(fenced))
        except SinkBroke as broke:
            self._owned.folding.stumbled("write", broke)
            raise

    # leaving it

    def shutdown_requested(self, checkpointer: Checkpointer) -> None:
        if self._gone.is_set():
            return
        with self._ours() as owned:
            try:
                owned.drain(ended=False, deadline_s=DRAIN_S)
            except TimeoutError as error:
                raise Stop(f"{self._shard_id}: the stores have taken longer than {DRAIN_S:g} s") from error
            owned.checkpoint(checkpointer)

    def shard_ended(self, checkpointer: Checkpointer) -> None:
        if self._gone.is_set():
            self._leave_if_still_served()
            return
        with self._ours() as owned:
            # An owner that died between this commit and KCL's checkpoint leaves a shard that ends once more.
            if not owned.commits.ended:
                # without a deadline: the children may only start from what is committed here
                owned.drain(ended=True, deadline_s=None)
            self.patience.call(lambda: checkpoint_the_end(checkpointer))
            self._log.info("shard ended", position=str(owned.position))

    def lease_lost(self) -> None:
        if not self._gone.is_set():
            self._gone.set()
            self._here().info("lease lost")

    def _stand_still(self, why: str) -> None:
        """Write nothing any more, and answer the daemon until it ends us: leaving would take its other shards down."""
        self._gone.set()
        self._fenced_since = self._clocks.monotonic_s()
        self._here().warning("no longer the owner: standing still", why=why)

    def _leave_if_still_served(self) -> None:
        """Standing still helps nobody when the lease is ours after all: a new process takes a newer epoch than the zombie's."""
        if self._clocks.monotonic_s() - self._fenced_since > FENCED_S:
            raise Fenced(
                f"{self._shard_id}: fenced {FENCED_S:g} s ago, but KCL has left us the lease: a new process must take it"
            )

    def _here(self) -> Any:
        """The log, with where the shard stands once its state is there."""
        return self._log if self._owned is None else self._log.bind(position=str(self._owned.position))
