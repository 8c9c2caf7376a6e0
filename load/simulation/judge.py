"""The verdict on a world that has come to rest: what was sent against what its applications have made of it.

It reads the stream's log and the stores as they are, with parsers of its own, and shares no code with what it judges.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from clickstream.load.simulation.fleet.deaggregation import hash_of
from clickstream.load.simulation.fleet.lines import Line, read
from clickstream.load.simulation.replay import compared

if TYPE_CHECKING:
    from clickstream.load.simulation.ledger import Sent
    from clickstream.load.simulation.world import World

Place = tuple[str, int, int]
"""(shard id, sequence number, sub-sequence number or index of the line)"""


class Found(NamedTuple):
    """What the stream holds, as every reader must take it and as some may."""

    must: set[str]
    """Events at home in records that KCL never drops, by their keys."""
    may: set[str]
    """… and those that are at home in an aggregate that KCL drops or not."""
    poison: dict[Place, bytes]
    poison_maybe: dict[Place, bytes]


def judge(world: World) -> list[str]:
    """Every broken promise, in a line each."""
    found = _read_stream(world)
    problems = [*_acknowledged(world, found), *_dead_letters(world, found), *_shards(world)]
    if world.plan.application == "history":
        return [*problems, *_histories(world, found), *_decisions(world, found), *_refused(world, found)]
    if world.foreign is not None:
        return [*problems, *compared(world, world.foreign)]
    return [*problems, *_aggregates(world, found)]


def _read_stream(world: World) -> Found:
    found = Found(set(), set(), {}, {})
    for shard in world.stream.shards():
        keys = world.stream.range_of(shard.shard_id)
        for record in world.stream.records(shard.shard_id):
            contents = read(record.partition_key, record.data)
            whole = all(map(keys.holds, contents.filtered_by))
            for line in contents.lines:
                place = (shard.shard_id, int(record.sequence_number), line.place)
                sent, user = _of(world, line)
                if user is not None and not keys.holds(hash_of(user)):
                    continue
                if sent is None:
                    (found.poison if whole else found.poison_maybe)[place] = line.data
                else:
                    found.may.add(sent.key)
                    if whole:
                        found.must.add(sent.key)
    return found


def _of(world: World, line: Line) -> tuple[Sent | None, str | None]:
    """The event, or None for a dead letter; and whose it is, unless it is a letter wherever it lies."""
    sent = world.ledger.event(line.data)
    if sent is None:
        assert line.data in world.ledger.poison, f"nobody has sent {line.data[:80]!r}"
        return None, world.ledger.poison[line.data]
    return (sent, sent.user_id) if line.key in (None, sent.user_id) else (None, None)


def _acknowledged(world: World, found: Found) -> Iterator[str]:
    for sent in world.ledger.events.values():
        if sent.acknowledged and sent.key not in found.must:
            yield f"{sent.key} was acknowledged but is in no record that every reader takes"


def _histories(world: World, found: Found) -> Iterator[str]:
    counted: Counter[str] = Counter()
    for item in world.stores.tables["users"].values():
        user, history = item["user"]["S"], [key["S"] for key in item["events"]["L"]]
        counted.update(history)
        known = [world.ledger.events[key] for key in history if key in world.ledger.events]
        if len(known) < len(history) or any(sent.user_id != user for sent in known):
            yield f"the history of {user} has events that it never sent: {history}"
        numbers = [sent.number for sent in known if sent.acknowledged]
        if numbers != sorted(numbers):
            yield f"the order of {user} is not kept: {numbers}"
    yield from _exactly_once(counted, found)


def _exactly_once(counted: Mapping[str, int], found: Found) -> Iterator[str]:
    for key in sorted(found.must - counted.keys()):
        yield f"{key} is lost"
    for key, count in sorted(counted.items()):
        if count > 1:
            yield f"{key} took effect {count} times"
        if key not in found.may:
            yield f"{key} took effect but is not in the stream at home"


def _decisions(world: World, found: Found) -> Iterator[str]:
    # whether such an event counts depends on KCL's filter at the time, so two runs may number what follows differently
    in_doubt = {world.ledger.events[key].user_id for key in found.may - found.must}
    ordinals: dict[str, set[int]] = {}
    for decision in world.decisions:
        ordinals.setdefault(decision.purchase, set()).add(decision.ordinal)
    stored = {item["purchase"]["S"]: int(item["ordinal"]["N"]) for item in world.stores.tables["decisions"].values()}
    places = {
        key["S"]: place
        for item in world.stores.tables["users"].values()
        for place, key in enumerate(item["events"]["L"], start=1)
    }
    for key, place in sorted(places.items()):
        sent = world.ledger.events[key]
        if sent.kind != "purchase" or sent.user_id in in_doubt:
            continue
        expected = None if sent.refused else place
        if stored.get(key) != expected:
            yield f"the decision on {key} is {stored.get(key)}, not {expected}"
        if ordinals.get(key, set()) - {place}:
            yield f"{key} was decided in several ways: {sorted(ordinals[key])}"


def _dead_letters(world: World, found: Found) -> Iterator[str]:
    letters: dict[Place, bytes] = {}
    for message in world.stores.messages:
        letter = json.loads(message)
        if letter["effect"] is not None:
            continue
        place = (letter["shard"], int(letter["sequence_number"]), letter["sub_sequence_number"])
        data = base64.b64decode(letter["data"])
        if letters.setdefault(place, data) != data:
            yield f"two dead letters of {place} differ"
    for place, data in found.poison.items():
        if letters.get(place) != data:
            yield f"the poison at {place} has no dead letter: {data[:80]!r}"
    for place in letters.keys() - found.poison.keys() - found.poison_maybe.keys():
        yield f"a dead letter was sent of a sound record at {place}"


def _refused(world: World, found: Found) -> Iterator[str]:
    """Every decision that can never be stored is a letter that tells it; of no other there is one."""
    letters = [json.loads(message) for message in world.stores.messages]
    told = {json.loads(letter["effect"])["purchase"] for letter in letters if letter["effect"] is not None}
    for key in sorted(key for key in found.must if world.ledger.events[key].refused and key not in told):
        yield f"the decision on {key} was refused for ever and has no dead letter"
    for key in sorted(told):
        if not world.ledger.events[key].refused:
            yield f"the decision on {key} has a dead letter, though every store would take it"


def _shards(world: World) -> Iterator[str]:
    items = {key[1]: item for key, item in world.stores.tables["shards"].items()}
    for shard in world.stream.shards():
        item, lease = items.get(shard.shard_id), world.leases.rows[shard.shard_id]
        if item is None:
            yield f"{shard.shard_id} was never taken"
            continue
        if not shard.is_open and not item.get("ended", {}).get("BOOL"):
            yield f"{shard.shard_id} is closed and was read to its end, but its end is not committed"
        if world.stream.reach(shard.shard_id, lease.checkpointed) > position(item):
            yield f"{shard.shard_id}: KCL's checkpoint leads the commit"
        for link in json.loads(item["manifest"]["S"])["chain"] if "manifest" in item else ():
            if link["key"] not in world.stores.objects:
                yield f"{shard.shard_id}: its manifest names {link['key']}, which is gone"


def position(item: Mapping[str, Any]) -> tuple[int, int]:
    """The committed position of an item of the shards table; (-1, 0) when there is none."""
    if "position" not in item:
        return -1, 0
    sequence, _, sub = item["position"]["S"].partition(".")
    return int(sequence), int(sub)


def _aggregates(world: World, found: Found) -> Iterator[str]:
    """The rows of all shards, added up, against one count over the events."""
    rows = _rows(world)
    least = _counts(world.ledger.events[key] for key in found.must)
    most = _counts(world.ledger.events[key] for key in found.may)
    for window in sorted(rows.keys() | most.keys()):
        got, low, high = rows.get(window, Counter()), least.get(window, Counter()), most.get(window, Counter())
        for measure in sorted(got.keys() | high.keys()):
            if not low[measure] <= got[measure] <= high[measure]:
                yield f"{measure} of {window} is {got[measure]}, not {low[measure]} to {high[measure]}"


def _rows(world: World) -> dict[tuple[str, int], Counter[str]]:
    rows: dict[tuple[str, int], Counter[str]] = {}
    for item in world.stores.tables["aggregates"].values():
        width, _, _ = item["window"]["S"].partition("#")
        if width == "moving":
            continue  # what is told to be complete is in the rows themselves
        start = int(item["part"]["S"].partition("#")[0]) // 60_000
        rows.setdefault((width, start), Counter()).update(_measures(item["partial"]["B"]))
    return rows


def _measures(partial: bytes) -> Counter[str]:
    raw = zlib.decompress(partial) if partial[:1] == b"\x78" else partial
    events, revenue, _, _, tallies = msgspec.msgpack.decode(raw)
    measures = Counter({f"events {kind}": count for kind, count in events.items()})
    measures.update({f"revenue {currency}": amount for currency, amount in revenue.items()})
    measures.update({f"views {product}": count for product, count in tallies[0][0].items()})
    return measures


def _counts(events: Iterator[Sent]) -> dict[tuple[str, int], Counter[str]]:
    windows: dict[tuple[str, int], Counter[str]] = {}
    for sent in events:
        for window in (("minute", sent.minute), ("hour", sent.minute - sent.minute % 60)):
            measures = windows.setdefault(window, Counter())
            measures[f"events {sent.kind}"] += 1
            if sent.kind == "purchase":
                measures["revenue EUR"] += sent.amount
            if sent.kind == "product_view":
                measures[f"views {sent.product}"] += 1
    return windows


def look(world: World) -> Iterator[str]:
    """What shards tell to have arrived is counted by now, at any moment: in minutes, and in hours as far as those are told."""
    arrived: dict[str, int] = {}
    for shard in world.stream.shards():
        keys = world.stream.range_of(shard.shard_id)
        for record in world.stream.records(shard.shard_id):
            contents = read(record.partition_key, record.data)
            if not all(map(keys.holds, contents.filtered_by)):
                continue  # KCL may have dropped it
            for line in contents.lines:
                sent, user = _of(world, line)
                if sent is not None and user is not None and keys.holds(hash_of(user)):
                    arrived[sent.key] = min(record.arrival_ms, arrived.get(sent.key, record.arrival_ms))
    rows = _rows(world)
    for width, told in (("minute", "arrived_to"), ("hour", "whole_to")):
        to_ms = _told(world, told)
        seen = _counts(world.ledger.events[key] for key, at_ms in arrived.items() if at_ms < to_ms)
        for window in sorted(window for window in seen if window[0] == width):
            for measure, count in sorted((seen[window] - rows.get(window, Counter())).items()):
                yield f"{told} is {to_ms}, but {window} lacks {count} of {measure}"


def _told(world: World, name: str) -> int:
    """The least that is told over the key space; of a key, the latest that any shard tells that ever had it."""
    items = {key[1]: item for key, item in world.stores.tables["shards"].items()}
    told = [
        (shard.hash_range, int(items[shard.shard_id].get(name, {"N": "0"})["N"]))
        for shard in world.stream.shards()
        if shard.shard_id in items
    ]
    starts = [shard.hash_range.start for shard in world.stream.shards()]
    return min(max((at_ms for keys, at_ms in told if keys.start <= start <= keys.end), default=0) for start in starts)


def standstill(world: World) -> str:
    """What it waits for."""
    waits = []
    if not world.shoppers.done:
        waits.append("users still send")
    waits += [f"{machine.process.name} has {machine.pending} events" for machine in world.publishers if machine.pending]
    for shard in world.stream.shards():
        lease = world.leases.rows.get(shard.shard_id)
        if lease is None:
            waits.append(f"{shard.shard_id} has no lease")
        elif shard.is_open or not lease.ended:
            waits.append(f"{shard.shard_id} of {lease.owner} stands at {lease.checkpoint[-12:]}")
    return "; ".join(waits)
