"""A shard loop over memory stores, driven message by message, with a clock that the caller turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

from clickstream import events
from clickstream.application import Application, Sink
from clickstream.consumers.runtime.loop.checkpointing import CommitPolicy
from clickstream.consumers.runtime.loop.shard_loop import ShardLoop
from clickstream.consumers.runtime.loop.wire import CheckpointFailed, ProcessRecords, Record
from clickstream.events import AnyEvent
from clickstream.load.simulation.aws.memory import MemoryDeadLetters, MemoryStore
from clickstream.records.position import Position
from clickstream.records.routing import Shard

P = ParamSpec("P")
T = TypeVar("T")


class Held(Executor):
    """Runs what was submitted only when told to: the commit thread's timing, in the caller's hand."""

    def __init__(self, *, at_once: bool = True) -> None:
        self.at_once = at_once
        self._waiting: list[Callable[[], None]] = []

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except Exception as error:  # noqa: BLE001  # an executor hands every exception to its future
                future.set_exception(error)

        if self.at_once:
            run()
        else:
            self._waiting.append(run)
        return future

    def release(self) -> None:
        waiting, self._waiting = self._waiting, []
        for run in waiting:
            run()


class RecordingCheckpointer:
    """KCL's side of a checkpoint; ``refusals`` are raised first, one per call."""

    def __init__(self) -> None:
        self.positions: list[Position | None] = []
        self.refusals: list[str] = []
        self.closed = False

    def checkpoint(self, sequence_number: str | None, sub_sequence_number: int | None) -> None:
        assert not self.closed, "KCL serves a checkpoint only before it has the status"
        if self.refusals:
            raise CheckpointFailed(self.refusals.pop(0))
        if sequence_number is None:
            self.positions.append(None)
        else:
            self.positions.append(Position(int(sequence_number), sub_sequence_number or 0))


class MemorySurroundings:
    def __init__(
        self, application: Application, shards: Sequence[Shard], store: MemoryStore, dead_letters: MemoryDeadLetters
    ) -> None:
        self._application = application
        self._shards = {shard.shard_id: shard for shard in shards}
        self.store = store
        self.dead_letters = dead_letters

    def describe(self, shard_id: str) -> Shard:
        return self._shards[shard_id]

    def children_of(self, shard_id: str) -> list[Shard]:
        return [shard for shard in self._shards.values() if shard_id in shard.parents]

    def open_sink(self, shard_id: str) -> Sink:
        unused: Any = None
        return self._application.open_sink(shard_id, unused, unused)


class Clock:
    """Milliseconds since the epoch, as the test says."""

    def __init__(self, now_ms: int = 1_000_000_000_000) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


def shard_loop(
    application: Application,
    shards: Sequence[Shard],
    store: MemoryStore,
    *,
    dead_letters: MemoryDeadLetters | None = None,
    clock: Clock | None = None,
    executor: Executor | None = None,
    policy: CommitPolicy | None = None,
) -> ShardLoop:
    """A loop as a worker's child would have it; by default it commits every batch at once."""
    clock = clock or Clock()
    return ShardLoop(
        application,
        MemorySurroundings(application, shards, store, dead_letters or MemoryDeadLetters()),
        policy=policy or CommitPolicy(interval_ms=0, checkpoint_interval_ms=0),
        clock_ms=clock,
        monotonic_s=lambda: clock.now_ms / 1000,
        executor=executor or Held(),
    )


def record(event: AnyEvent | bytes, sequence: int, sub: int = 0, *, key: str = "", arrived_ms: int = 0) -> Record:
    """A user record as KCL delivers it; raw bytes need a ``key``."""
    data, key = (event, key) if isinstance(event, bytes) else (events.encode(event), key or event.user_id)
    return Record(data, key, str(sequence), sub, arrived_ms or 1_000_000_000_000)


def deliver(loop: ShardLoop, checkpointer: RecordingCheckpointer, *records: Record, behind_ms: int = 0) -> None:
    """One ``processRecords``, as the wire makes it: no checkpoint after the acknowledgement."""

    def acknowledge() -> None:
        checkpointer.closed = True

    checkpointer.closed = False
    loop.process_records(ProcessRecords(list(records), behind_ms), checkpointer, acknowledge)
    checkpointer.closed = False
