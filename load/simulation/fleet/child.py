"""One shard's process: the real ``serve`` and the real ShardLoop, on a pipe to a simulated KCL daemon."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol, cast

from clickstream.application import Application, Sink
from clickstream.consumers.runtime.faults.dead_letters import DeadLetterQueue
from clickstream.consumers.runtime.loop.checkpointing import CommitPolicy
from clickstream.consumers.runtime.loop.shard_loop import ShardLoop
from clickstream.consumers.runtime.loop.wire import IDLE_MS, CheckpointFailed, Message, ProtocolError, Wire, serve
from clickstream.consumers.runtime.loop.writing import SinkBroke
from clickstream.consumers.runtime.state.snapshots import SnapshotStore
from clickstream.errors import ClickstreamError, Forbidden, RetryLater, Stop
from clickstream.load.simulation.applications.history import PlantedBug
from clickstream.load.simulation.aws.clients import SimulatedClients
from clickstream.load.simulation.aws.stores import SETTINGS
from clickstream.load.simulation.fleet.scheduler import Process, Scheduler, Task
from clickstream.load.simulation.fleet.threads import InlineExecutor, VirtualExecutor, VirtualFlag
from clickstream.load.simulation.plan import Plan
from clickstream.records.routing import Shard


class Daemon(Protocol):
    """The other end of the pipe."""

    def answered(self) -> None:
        """The child has sent its status."""

    def checkpoint(self, sequence_number: str | None, sub: int | None) -> str | None:
        """Store KCL's position; the Java exception's name when that failed. Raises BrokenPipe when the daemon is gone."""


class BrokenPipe(ClickstreamError):
    """The daemon is gone."""


class SimulatedWire(Wire):
    """The child's end of the protocol, with messages as values."""

    def __init__(self, scheduler: Scheduler, daemon: Daemon) -> None:
        # no pipe underneath: every method of the parent that would use one is replaced
        self._scheduler = scheduler
        self._daemon = daemon
        self._inbox: deque[Message] = deque()
        self._reader_task: Task | None = None
        self._closed = False

    def post(self, message: Message) -> None:
        self._inbox.append(message)
        self._wake()

    def close(self) -> None:
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        if self._reader_task is not None:
            self._scheduler.wake(self._reader_task)

    def receive(self, idle: Callable[[], None] | None = None) -> Message | None:
        while not self._inbox and not self._closed:
            self._reader_task = self._scheduler.current
            self._scheduler.park(IDLE_MS * 4)  # its length is not what is tested, and most of a run would be idle ticks
            if idle is not None and not self._inbox and not self._closed:
                idle()
        return self._inbox.popleft() if self._inbox else None

    def send(self, message: dict[str, object]) -> None:
        if not self._closed:
            self._daemon.answered()

    def checkpoint(self, sequence_number: str | None, sub_sequence_number: int | None) -> None:
        try:
            error = self._daemon.checkpoint(sequence_number, sub_sequence_number)
        except BrokenPipe as broken:
            raise ProtocolError("a checkpoint was answered by the end of the pipe") from broken
        if error is not None:
            raise CheckpointFailed(error)


class Surroundings:
    """See ``clickstream.consumers.runtime.loop.owned_lease.Surroundings``: the real stores' code over simulated clients."""

    def __init__(
        self, application: Application, owner: str, clients: SimulatedClients, list_shards: Callable[[], list[Shard]]
    ) -> None:
        self._application = application
        # they answer only what the runtime asks of the real ones
        self._clients = cast("Any", clients)
        self._list_shards = list_shards
        self.store = SnapshotStore(application.name, owner, self._clients, SETTINGS, readers=InlineExecutor)
        self.dead_letters = DeadLetterQueue(self._clients, SETTINGS)

    def stored(self) -> Iterable[str]:
        """The keys of all objects on S3."""
        stored: list[str] = self._clients.s3.stored()
        return stored

    def describe(self, shard_id: str) -> Shard:
        for shard in self._list_shards():
            if shard.shard_id == shard_id:
                return shard
        raise RetryLater(f"ListShards does not show {shard_id}")

    def children_of(self, shard_id: str) -> list[Shard]:
        return [shard for shard in self._list_shards() if shard_id in shard.parents]

    def open_sink(self, shard_id: str) -> Sink:
        return self._application.open_sink(shard_id, self._clients, SETTINGS)


class Child:
    """A shard's process from its start to its end."""

    def __init__(
        self,
        scheduler: Scheduler,
        process: Process,
        daemon: Daemon,
        application: Application,
        surroundings: Surroundings,
        plan: Plan,
    ) -> None:
        self.process = process
        self.wire = SimulatedWire(scheduler, daemon)
        self.gone = VirtualFlag(scheduler)
        """Set when the loop has been fenced, or told that its lease is lost."""
        self._scheduler = scheduler
        self._surroundings = surroundings
        self._foreign = plan.application == "own"
        self._loop = ShardLoop(
            application,
            surroundings,
            policy=CommitPolicy(
                effects_interval_ms=plan.effects_interval_ms,
                interval_ms=plan.commit_interval_ms,
                checkpoint_interval_ms=plan.checkpoint_interval_ms,
                window_events=plan.window_events,
                slice_bytes=plan.slice_bytes,
            ),
            clock_ms=process.clock_ms,
            monotonic_s=lambda: scheduler.now / 1000,
            servers_clock=lambda: (scheduler.now // 1000 * 1000, scheduler.now / 1000),
            executor=VirtualExecutor(scheduler, process),
            gone=self.gone,
        )
        process.spawn(self._main)

    def _main(self) -> None:
        try:
            serve(self.wire, self._loop)
        except (ClickstreamError, TimeoutError, PlantedBug, SinkBroke) as error:
            self._check_end(error)
            self._scheduler.note(self.process.name, "stops:", type(error).__name__, error)
        # the interpreter waits for its threads
        while len(self.process.tasks) > 1:
            self._scheduler.sleep(100)
        self.process.kill()

    def _check_end(self, error: Exception) -> None:
        """Raises, and so ends the world, when a shard's process ends that should have waited, or by a bug of a foreign sink."""
        if isinstance(error, SinkBroke) and self._foreign:
            raise error.__cause__ or error
        refused = isinstance(error, Forbidden) or isinstance(error.__cause__, Forbidden)
        if refused and not self.gone.is_set():
            raise AssertionError(f"a refusal has ended a process: {error}") from error
        if isinstance(error, Stop) and any(key in str(error) for key in self._surroundings.stored()):
            raise AssertionError(f"it is there: {error}") from error
