"""One application's folds and sinks over stores in memory, driven call by call."""

from collections.abc import Sequence
from typing import Any, cast

from clickstream.application import Fold, Inheritance
from clickstream.events import AnyEvent
from clickstream.load.proving.purity import Purity
from clickstream.load.simulation.answers import answers
from clickstream.load.simulation.aws.clients import SimulatedClients
from clickstream.load.simulation.aws.stores import SETTINGS, Direct, Stores
from clickstream.load.simulation.foreign import Foreign
from clickstream.records.position import Position


class Run:
    """Stores, and the shards that write to them. ``written``: all that their sinks were given, in order."""

    def __init__(self, foreign: Foreign, purity: Purity | None = None) -> None:
        self._foreign = foreign
        self._stores = Stores(foreign.keys)
        self.purity = purity
        self.events = 0
        self.shards = 0
        self.written: list[tuple[str, Sequence[Any], Position]] = []

    def shard(self) -> "ShardRun":
        self.shards += 1
        shard_id = f"shardId-{self.shards - 1:012d}"
        return ShardRun(self, shard_id)

    def open_fold(self, shard_id: str) -> Fold:
        return self._foreign.application.open_fold(shard_id)

    def write(self, shard_id: str, effects: Sequence[Any], position: Position) -> None:
        """Through a sink of its own, as of a process that has just begun."""
        clients = cast("Any", SimulatedClients.of(self._stores, Direct()))
        self._foreign.application.open_sink(shard_id, clients, SETTINGS).write(effects, position)

    def answers(self) -> dict[str, str]:
        return answers(self._stores, self._foreign.needs)

    def whole(self, events: Sequence[AnyEvent]) -> dict[str, str]:
        """The answers when everything comes in one batch."""
        shard = self.shard()
        shard.take(events)
        shard.give()
        return self.answers()


class ShardRun:
    """One shard's fold; each call of it is watched."""

    def __init__(self, run: Run, shard_id: str) -> None:
        self._run = run
        self._shard_id = shard_id
        self._fold = run.open_fold(shard_id)

    def take(self, events: Sequence[AnyEvent]) -> None:
        self._call("apply", events)
        self._run.events += len(events)

    def give(self, *, flush: bool = True, times: int = 1) -> None:
        """Effects through the sink."""
        effects = self._call("effects", flush=flush)
        for _ in range(times if effects else 0):
            self._run.written.append((self._shard_id, effects, Position(self._run.events)))
            self._run.write(*self._run.written[-1])

    def state(self, *, full: bool = True) -> bytes:
        state: bytes = self._call("snapshot" if full else "changes")
        return state

    def restore(self, state: bytes, inheritance: Inheritance | None = None) -> None:
        self._call("restore", state, inheritance)

    def again(self, chain: Sequence[bytes]) -> "ShardRun":
        """The same shard in another process."""
        other = ShardRun(self._run, self._shard_id)
        for state in chain:
            other.restore(state)
        return other

    def _call(self, method: str, *arguments: Any, **named: Any) -> Any:
        called = getattr(self._fold, method)
        if self._run.purity is None:
            return called(*arguments, **named)
        with self._run.purity.watched():
            return called(*arguments, **named)
