"""The verdict on a foreign application: what the fleet has stored, against a clean replay of each shard's log.

The replay is the promise in its shortest form: parents first, each log in one go, through the application's own fold and sink,
over stores where nothing fails. It shares the application with what it judges, and nothing of the runtime.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from clickstream import events
from clickstream.application import Inheritance
from clickstream.load.simulation.aws.stores import SETTINGS, Direct, SentMessage, SimulatedClients, Stores
from clickstream.load.simulation.fleet.deaggregation import hash_of
from clickstream.load.simulation.fleet.lines import read
from clickstream.load.simulation.foreign import Foreign
from clickstream.records.position import Position

if TYPE_CHECKING:
    from clickstream.load.simulation.world import World


def differences(world: World, foreign: Foreign) -> Iterator[str]:
    """Every stored item, message and line that is not as in the replay; but for positions and times to live."""
    found, clean = world.stores, _replayed(world, foreign)
    for table in foreign.needs.tables:
        mine, other = found.tables[table.suffix], clean.tables[table.suffix]
        beside = {"position", table.expires}
        for key in sorted(mine.keys() | other.keys()):
            got, expected = (
                {name: value for name, value in side.get(key, {}).items() if name not in beside} for side in (mine, other)
            )
            if got != expected:
                yield f"{table.suffix} {'/'.join(key)} is {_shown(got)}, not {_shown(expected)}"
    yield from _compared("messages", _identities(found.sent), _identities(clean.sent))
    repeated = Counter(message[:2] for message in found.sent if message.once)
    for (to, once), count in repeated.items():
        if count > 1:
            yield f"the message {once} was sent {count} times to {to}"
    for bucket in sorted(found.buckets.keys() | clean.buckets.keys()):
        yield from _compared(f"lines of {bucket}", lines(found, bucket), lines(clean, bucket))


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


def _identities(sent: list[SentMessage]) -> Counter[str]:
    return Counter(dict.fromkeys((f"to {message.to}: {message.once} {message.body}" for message in sent), 1))


def lines(stores: Stores, bucket: str) -> Counter[str]:
    """The lines of all objects, NDJSON or Parquet."""
    found: Counter[str] = Counter()
    for body in stores.buckets.get(bucket, {}).values():
        if body[:4] == b"PAR1":
            from pyarrow import parquet  # only who writes Parquet has it

            found.update(json.dumps(row, default=str) for row in parquet.read_table(io.BytesIO(body)).to_pylist())
        else:
            found.update(body.decode().splitlines())
    return found


def _compared(what: str, got: Counter[str], expected: Counter[str]) -> Iterator[str]:
    for each in sorted(got.keys() | expected.keys()):
        if got[each] != expected[each]:
            yield f"{what}: {got[each]} times, not {expected[each]}: {each[:300]}"


def _shown(item: dict[str, Any]) -> str:
    return str({name: next(iter(value.values())) for name, value in item.items()} if item else "missing")[:300]
