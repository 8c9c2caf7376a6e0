"""Makes a shard's work durable on a thread of its own, so that the next batches are folded meanwhile.

At most one commit is in flight. Its order is the runtime's promise: effects first, then state and position in one step; KCL's
checkpoint, which the shard loop sends, comes after both.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import Any

import msgspec

from clickstream.consumers.runtime.faults.patience import Patience
from clickstream.consumers.runtime.loop.writing import Writing
from clickstream.consumers.runtime.state.parents import Parents
from clickstream.consumers.runtime.state.snapshots import Commit, Lease, Store
from clickstream.progress.completeness import Arrival
from clickstream.records.position import Position


class Written(msgspec.Struct, frozen=True):
    """Effects are visible; the state that belongs to them is not durable yet."""


Landed = Commit | Written | None


class Commits:
    """The commit, or effects alone, or heartbeat in flight, if any. All methods belong to the shard loop's thread."""

    def __init__(
        self, *, lease: Lease, parents: Parents, store: Store, writing: Writing, patience: Patience, executor: Executor
    ) -> None:
        self._lease = lease
        self._parents = parents
        self._store = store
        self._writing = writing
        self._patience = patience
        self._executor = executor
        self._future: Future[Landed] | None = None

    @property
    def in_flight(self) -> bool:
        return self._future is not None

    @property
    def ended(self) -> bool:
        """Whether the end of the shard is committed, by us or by an owner before us; only asked while none is in flight."""
        return self._lease.ended

    @property
    def wants_full(self) -> bool:
        """Whether the next commit should carry the whole state; only asked while none is in flight."""
        return self._lease.manifest.wants_full

    def start(self, commit: Commit, effects: Sequence[Any], now_ms: int) -> None:
        self._start(self._run, commit, effects, now_ms)

    def start_effects(self, effects: Sequence[Any], position: Position) -> None:
        """Write effects ahead of the commit that will cover them."""
        self._start(self._write, effects, position)

    def start_heartbeat(self, behind_ms: int, arrival: Arrival, now_ms: int) -> None:
        self._start(self._patience.call, lambda: self._store.heartbeat(self._lease, behind_ms, arrival, now_ms))

    def _start(self, work: Callable[..., Landed], *arguments: Any) -> None:
        assert self._future is None
        self._future = self._executor.submit(work, *arguments)

    def finished(self) -> Landed:
        """What became durable since the last call. Raises what went wrong with it: Fenced, or a bug."""
        if self._future is None or not self._future.done():
            return None
        return self.wait(timeout_s=None)

    def wait(self, timeout_s: float | None) -> Landed:
        """Like ``finished``, after waiting for the flight to end. Raises TimeoutError."""
        if self._future is None:
            return None
        done = self._future.result(timeout_s)
        self._future = None
        return done

    def _run(self, commit: Commit, effects: Sequence[Any], now_ms: int) -> Commit:
        if effects:
            self._writing.write(effects, commit.position)
        self._patience.call(lambda: self._store.commit(self._lease, commit, now_ms))
        self._parents.forget()
        return commit

    def _write(self, effects: Sequence[Any], position: Position) -> Written:
        self._writing.write(effects, position)
        return Written()
