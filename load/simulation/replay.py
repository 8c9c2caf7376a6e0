"""The verdict on a foreign application: what the fleet has stored, against a clean replay of each shard's log.

The replay is the promise in its shortest form: parents first, each log in one go, through the application's own fold and sink,
over stores where nothing fails. It shares the application with what it judges, and nothing of the runtime.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from clickstream import events
from clickstream.application import Inheritance
from clickstream.load.simulation.answers import answers, differences
from clickstream.load.simulation.aws.clients import SimulatedClients
from clickstream.load.simulation.aws.stores import SETTINGS, Direct, Stores
from clickstream.load.simulation.fleet.deaggregation import hash_of
from clickstream.load.simulation.fleet.lines import read
from clickstream.load.simulation.foreign import Foreign
from clickstream.records.position import Position

if TYPE_CHECKING:
    from clickstream.load.simulation.world import World


def compared(world: World, foreign: Foreign) -> Iterator[str]:
    """Whatever is not as in the replay."""
    needs = foreign.needs
    return differences(answers(world.stores, needs), answers(_replayed(world, foreign), needs))


def _replayed(world: World, foreign: Foreign) -> Stores:
    application, stores = foreign.application, Stores(foreign.keys)
    clients = cast("Any", SimulatedClients.of(stores, Direct(lambda: world.scheduler.now)))
    states: dict[str, bytes] = {}
    seen: set[str] = set()
    # ids count up, so a parent's is before its children's
    for shard in sorted(world.stream.shards(), key=lambda shard: shard.shard_id):
        fold = application.open_fold(shard.shard_id)
        for parent in shard.parents:
            fold.restore(states[parent], Inheritance(shard.hash_range))
        log = list(_log(world, shard.shard_id, seen))
        fold.apply([events.decode(data) for _, data in log])
        effects = fold.effects(flush=True)
        if effects:
            application.open_sink(shard.shard_id, clients, SETTINGS).write(effects, log[-1][0] if log else Position(0))
        states[shard.shard_id] = fold.snapshot()
    return stores


def _log(world: World, shard_id: str, seen: set[str]) -> Iterator[tuple[Position, bytes]]:
    """The events that the shard's fold must take: at home here, and no repetitions."""
    keys = world.stream.range_of(shard_id)
    for record in world.stream.records(shard_id):
        for line in read(record.partition_key, record.data).lines:
            sent = world.ledger.event(line.data)
            if sent is None or line.key not in (None, sent.user_id) or not keys.holds(hash_of(sent.user_id)):
                continue
            if sent.key not in seen:
                seen.add(sent.key)
                yield Position(int(record.sequence_number), line.place), line.data
