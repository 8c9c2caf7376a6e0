"""One lease in one worker: KCL's ShardConsumer and the daemon's end of the child's pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clickstream.consumers.runtime.loop.wire import (
    Initialize,
    LeaseLost,
    Message,
    ProcessRecords,
    ShardEnded,
    ShutdownRequested,
)
from clickstream.load.simulation.fleet.child import BrokenPipe, Child
from clickstream.load.simulation.fleet.leases import SHARD_END
from clickstream.load.simulation.fleet.scheduler import Task

if TYPE_CHECKING:
    from clickstream.load.simulation.fleet.worker import Worker

BACKOFF_MS = 300
PARENT_POLL_MS = 500


class Consumer:
    """Strictly serial towards the child: one message, one status; a checkpoint is possible only in between."""

    def __init__(self, worker: Worker, shard_id: str, counter: int) -> None:
        self.worker = worker
        self.shard_id = shard_id
        self.counter = counter
        """The lease's, as of our last write."""
        self.lost = False
        self.leaving = False
        """The lease was asked for by another worker."""
        self.over = False
        self.caught_up_ms = 0
        """When a read at the tip was last empty."""
        self._fleet = worker.fleet
        self.delivered = (-1, 0)
        self._child: Child | None = None
        self._waiting: Task | None = None
        self._open = False
        self._may_checkpoint = False

    def run(self) -> None:
        try:
            self._run()
        finally:
            self.over = True
        if self._child is not None:
            self._child.process.when_dead.clear()
            self._child.wire.close()
        if self.worker.consumers.get(self.shard_id) is self:
            del self.worker.consumers[self.shard_id]

    def _run(self) -> None:
        fleet = self._fleet
        while not fleet.leases.parents_ended(self.shard_id):
            if self._must_go:
                self._hand_over()
                return
            fleet.scheduler.sleep(PARENT_POLL_MS)
        lease = fleet.leases.rows[self.shard_id]
        reader = fleet.stream.reader(self.shard_id, lease.checkpoint, lease.sub)
        self.delivered = lease.checkpointed
        self._child = fleet.start_child(self)
        self._child.process.when_dead.append(self.worker.child_died)
        self._ask(Initialize(self.shard_id, lease.checkpoint, lease.sub))
        while not self._must_go:
            batch = fleet.stream.read(reader, fleet.plan.get_records)
            if batch is None:
                fleet.scheduler.sleep(BACKOFF_MS)
                continue
            if batch.records:
                last = batch.records[-1]
                self.delivered = (int(last.sequence_number), last.sub_sequence_number)
            elif not batch.behind_ms:
                self.caught_up_ms = fleet.scheduler.now
            self._ask(ProcessRecords(list(batch.records), batch.behind_ms))
            if batch.ended:
                self._end()
                if not self.lost:
                    return
            fleet.scheduler.sleep(fleet.plan.poll_ms // 7 if batch.records else fleet.plan.poll_ms)
        if self.lost:
            self._ask(LeaseLost())
        elif self.leaving or self.worker.leaving:
            self._ask(ShutdownRequested())
            self._hand_over()
            self._ask(LeaseLost())

    def caught_up_since(self, ms: int) -> bool:
        """Whether everything put up to a moment is with a child that still writes."""
        return self.caught_up_ms > ms and self._child is not None and not self._child.gone.is_set()

    @property
    def _must_go(self) -> bool:
        return self.lost or self.leaving or self.worker.leaving

    def _hand_over(self) -> None:
        if not self.lost and self.leaving:
            self._fleet.leases.hand_over(self.shard_id, self.worker.name, self.counter)

    def _end(self) -> None:
        """KCL makes the children's leases (a merged child's when both parents have theirs), then asks until the end is kept."""
        fleet = self._fleet
        children = fleet.stream.children_of(self.shard_id)
        while not self.lost and not all(parent in fleet.leases.rows for _, parents in children for parent in parents):
            fleet.scheduler.sleep(PARENT_POLL_MS)
        for child, parents in children:
            fleet.leases.create(child, parents)
        while not self.lost:
            self._ask(ShardEnded())
            if fleet.leases.rows[self.shard_id].ended:
                return
            fleet.scheduler.sleep(BACKOFF_MS)

    def _ask(self, message: Message) -> None:
        """Send a message and wait for its status. A child that dies takes the worker down, and this task with it."""
        assert self._child is not None
        self._open = self._may_checkpoint = True
        self._may_checkpoint = not isinstance(message, Initialize | LeaseLost)
        self._child.wire.post(message)
        while self._open:
            self._waiting = self._fleet.scheduler.current
            self._fleet.scheduler.park()

    # what the child's end of the pipe calls

    def answered(self) -> None:
        self._open = self._may_checkpoint = False
        if self._waiting is not None:
            self._fleet.scheduler.wake(self._waiting)

    def checkpoint(self, sequence_number: str | None, sub: int | None) -> str | None:
        fleet = self._fleet
        if not self._may_checkpoint:
            fleet.violated(f"{self.shard_id}: a checkpoint was asked for where KCL serves none")
        fleet.scheduler.sleep(fleet.chance.latency_ms())
        while self.worker.process.stopped:
            fleet.scheduler.sleep(BACKOFF_MS)
        if not self.worker.process.alive:
            raise BrokenPipe
        if fleet.chance.strikes("checkpoint failed", fleet.plan.checkpoint_failed):
            return "KinesisClientLibDependencyException"
        value = sequence_number or SHARD_END
        position = (-1, 0) if sequence_number is None else (int(sequence_number), sub or 0)
        lease = fleet.leases.rows[self.shard_id]
        if self.lost or lease.owner != self.worker.name or lease.counter != self.counter:
            return "ShutdownException"
        self._check(value, position, lease.checkpointed)
        if fleet.leases.checkpoint(self.shard_id, self.worker.name, self.counter, value, position[1]):
            self.counter += 1
        return None

    def _check(self, value: str, position: tuple[int, int], last: tuple[int, int]) -> None:
        committed, ended = self._fleet.committed(self.shard_id)
        if value == SHARD_END:
            if not ended:
                self._fleet.violated(f"{self.shard_id}: SHARD_END is checkpointed before the end is committed")
            return
        if not last <= position <= self.delivered:
            self._fleet.violated(f"{self.shard_id}: KCL refuses checkpoint {position}, not in {last} to {self.delivered}")
        reach = self._fleet.stream.reach(self.shard_id, position)
        if reach > committed:
            self._fleet.violated(f"{self.shard_id}: checkpoint {position} reaches {reach} and leads the commit {committed}")

    def daemon_died(self, *, orphan: bool) -> None:
        """The child goes with its daemon, or notices at its next look at the pipe."""
        if self._child is None:
            return
        self._child.process.when_dead.clear()
        if orphan:
            self._child.wire.close()
        else:
            self._child.process.kill()
