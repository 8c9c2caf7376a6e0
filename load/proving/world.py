"""An application over shards in memory: the runtime as it is, without AWS, threads or waiting."""

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any, cast

from clickstream.application import Application
from clickstream.aws.items import plain
from clickstream.consumers.runtime.loop.checkpointing import CommitPolicy
from clickstream.consumers.runtime.loop.shard_loop import ShardLoop
from clickstream.events import AnyEvent, PageView
from clickstream.load.simulation.aws.clients import SimulatedClients
from clickstream.load.simulation.aws.memory import MemoryDeadLetters, MemoryStore
from clickstream.load.simulation.aws.stores import SETTINGS, Direct, Stores
from clickstream.load.simulation.fleet.shard_process import (
    Held,
    MemorySurroundings,
    RecordingCheckpointer,
    deliver,
    record,
)
from clickstream.load.simulation.foreign import Foreign, without_threads
from clickstream.needs import Needs
from clickstream.records.routing import MAX_HASH_KEY, HashRange, Shard, hash_key

Record = Any


class World:
    """Feed events, let time pass, crash, split and merge; then read what the application has stored and sent.

    ``now_ms`` is the stream's clock. What is fed is committed after a second of it, as in a worker: ``kill`` loses the rest,
    and it is delivered again.
    """

    def __init__(
        self, application: Application, needs: Needs | None = None, *, shards: int = 1, now_ms: int = 1_800_000_000_000
    ) -> None:
        """``needs`` may be left out for a short application, which has its own."""
        self._foreign = Foreign.of(application, needs)
        self.now_ms = now_ms
        self.stores = Stores(self._foreign.keys)
        self.dead_letters = MemoryDeadLetters()
        self._state = MemoryStore("world")
        self._shards: dict[str, Shard] = {}
        self._logs: dict[str, list[Record]] = {}
        self._loops: dict[str, ShardLoop] = {}
        self._sequence = count(1)
        width = (MAX_HASH_KEY + 1) // shards
        for number in range(shards):
            last = MAX_HASH_KEY if number == shards - 1 else (number + 1) * width - 1
            self._open(HashRange.of(number * width, last))

    @property
    def shards(self) -> list[Shard]:
        """The open ones, in the order of their keys."""
        return sorted((self._shards[shard_id] for shard_id in self._loops), key=lambda shard: shard.hash_range.start)

    def feed(self, *events: AnyEvent) -> None:
        for event in events:
            shard = next(shard for shard in self.shards if hash_key(event.user_id) in shard.hash_range)
            log = self._logs[shard.shard_id]
            log.append(record(event, next(self._sequence), arrived_ms=self.now_ms))
            self._deliver(shard.shard_id, log[-1:])

    def advance(self, ms: int) -> None:
        """Time passes; a visitor of each shard looks at a page, since a shard learns of time by its events alone."""
        self.now_ms += ms
        for number, shard in enumerate(self.shards):
            user = next(name for n in count() if hash_key(name := f"passer-by-{n}") in shard.hash_range)
            event_id = f"look-{self.now_ms}-{number}"
            self.feed(PageView(event_id=event_id, user_id=user, session_id="s", occurred_at=self.now_ms))

    def kill(self) -> None:
        """As kill -9 of every worker: others begin at the last commits."""
        for shard_id in self._loops:
            self._start(shard_id)
            self._deliver(shard_id, self._logs[shard_id])

    def split(self, shard_id: str = "") -> None:
        """In the middle of its keys; the first shard when none is named."""
        parent = self._shards[shard_id] if shard_id else self.shards[0]
        first, last = (int.from_bytes(key, "big") for key in (parent.hash_range.start, parent.hash_range.end))
        middle = (first + last) // 2
        self._end(parent)
        for keys in (HashRange.of(first, middle), HashRange.of(middle + 1, last)):
            self._open(keys, parent.shard_id)

    def merge(self) -> None:
        """The first two shards."""
        lower, upper = self.shards[:2]
        self._end(lower, upper)
        self._open(HashRange(lower.hash_range.start, upper.hash_range.end), lower.shard_id, upper.shard_id)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """The items of the table with this suffix, numbers as int or float, everything folded so far within them."""
        self._settle()
        return [{name: _plain(value) for name, value in item.items()} for item in self.stores.tables[table].values()]

    def messages(self) -> list[str]:
        """What was sent, in order."""
        self._settle()
        return [message.body for message in self.stores.sent]

    def lines(self) -> Iterator[bytes]:
        """Of all objects in the application's buckets."""
        self._settle()
        for objects in self.stores.buckets.values():
            for body in objects.values():
                yield from body.splitlines()

    def _open(self, keys: HashRange, *parents: str) -> None:
        shard_id = f"shardId-{len(self._shards):012d}"
        self._shards[shard_id] = Shard(shard_id=shard_id, hash_range=keys, parents=parents)
        self._logs[shard_id] = []
        self._start(shard_id)

    def _end(self, *shards: Shard) -> None:
        for shard in shards:
            with without_threads():
                self._loops.pop(shard.shard_id).shard_ended(RecordingCheckpointer())

    def _start(self, shard_id: str) -> None:
        surroundings = _Surroundings(self._foreign.application, list(self._shards.values()), self._state, self.dead_letters)
        surroundings.clients = cast("Any", SimulatedClients.of(self.stores, Direct(lambda: self.now_ms)))
        loop = ShardLoop(
            self._foreign.application,
            surroundings,
            policy=CommitPolicy(interval_ms=1_000),
            clock_ms=lambda: self.now_ms,
            monotonic_s=lambda: self.now_ms / 1000,
            executor=Held(),
        )
        loop.initialize(shard_id, "TRIM_HORIZON", 0)
        self._loops[shard_id] = loop

    def _deliver(self, shard_id: str, records: Sequence[Record]) -> None:
        with without_threads():
            deliver(self._loops[shard_id], RecordingCheckpointer(), *records)

    def _settle(self) -> None:
        for loop in self._loops.values():
            with without_threads():
                loop.shutdown_requested(RecordingCheckpointer())


class _Surroundings(MemorySurroundings):
    clients: Any

    def open_sink(self, shard_id: str) -> Any:
        return self._application.open_sink(shard_id, self.clients, SETTINGS)


def _plain(value: Any) -> Any:
    ((kind, content),) = value.items()
    return float(content) if kind == "N" and not content.lstrip("-").isdigit() else plain(value)
