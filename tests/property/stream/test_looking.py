"""`tail` and `explain` say of every event what the shards' own folds made of it, whoever put it and wherever it came to lie."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from clickstream.application import Inheritance
from clickstream.consumers.explain.life import Sighting, judged
from clickstream.consumers.explain.search import sightings
from clickstream.consumers.looking.tail import _lines
from clickstream.consumers.runtime.loop.opening import opened
from clickstream.consumers.runtime.loop.wire import Record
from clickstream.consumers.runtime.state.shard_state import ShardState
from clickstream.events import AnyEvent
from clickstream.records.reading import Batch
from clickstream.records.routing import MAX_HASH_KEY, HashRange, Shard
from tests import kpl

ARRIVED_MS = 1_796_000_000_000


class Ids:
    """A fold that keeps the ids of what it is given."""

    def __init__(self) -> None:
        self.folded: list[str] = []

    def apply(self, events: Sequence[AnyEvent]) -> None:
        self.folded += [event.event_id for event in events]

    def effects(self, *, flush: bool) -> Sequence[Any]:
        return []

    def changes(self) -> bytes:
        return b""

    snapshot = changes

    def restore(self, state: bytes, inheritance: Inheritance | None) -> None:
        raise AssertionError("nothing is restored here")


@st.composite
def shard_maps(draw: st.DrawFn) -> list[Shard]:
    cuts = sorted(draw(st.sets(st.integers(1, MAX_HASH_KEY), max_size=5)))
    return [
        Shard(shard_id=f"shardId-{number:012d}", hash_range=HashRange.of(start, end - 1))
        for number, (start, end) in enumerate(pairwise([0, *cuts, MAX_HASH_KEY + 1]))
    ]


@st.composite
def members(draw: st.DrawFn, ids: st.SearchStrategy[int]) -> tuple[str, str | None, bytes, str]:
    number = draw(ids)
    # an id that JSON writes as an escape, too
    event_id = draw(st.sampled_from([f"e-{number}", f"é-{number}", f'"{number}']))
    user = f"user-{number % 12}"
    event = {
        "type": "login",
        "event_id": event_id,
        "user_id": user,
        "session_id": "s",
        "occurred_at": draw(st.sampled_from([ARRIVED_MS] * 6 + [ARRIVED_MS + 86_400_000])),
    }
    key = draw(st.sampled_from([user] * 6 + ["another"]))
    explicit = draw(st.none() | st.integers(0, MAX_HASH_KEY).map(str))
    data = json.dumps(event, ensure_ascii=draw(st.booleans())).encode()
    return key, explicit, data, event_id


def boto3s(number: int, key: str, data: bytes) -> dict[str, Any]:
    return {
        "Data": data,
        "PartitionKey": key,
        "SequenceNumber": str(number),
        "ApproximateArrivalTimestamp": datetime.fromtimestamp(ARRIVED_MS / 1000, UTC),
    }


def kcls(number: int, sub: int, key: str, data: bytes) -> Record:
    return Record(
        data=data,
        partition_key=key,
        sequence_number=str(number),
        sub_sequence_number=sub,
        approximate_arrival_timestamp=ARRIVED_MS,
    )


@settings(deadline=None)
@given(st.data(), shard_maps())
def test_tail_and_explain_agree_with_what_the_shards_fold(data: st.DataObject, shards: list[Shard]) -> None:
    member = members(st.integers(0, 40))
    puts = data.draw(
        st.lists(st.tuples(st.sampled_from(shards), st.lists(member, min_size=1, max_size=12), st.sampled_from("apb")))
    )
    folds = {shard.shard_id: Ids() for shard in shards}
    states = {shard.shard_id: ShardState("ids", folds[shard.shard_id], shard.hash_range) for shard in shards}
    batches: list[Batch] = []
    passed_over: Counter[str] = Counter()
    found: dict[str, list[Sighting]] = {}
    every_id = {event_id for _, group, _ in puts for *_, event_id in group}
    for number, (shard, group, kind) in enumerate(puts, start=1):
        if kind == "p":
            records = [
                (boto3s(100 * number + n, key, raw), [kcls(100 * number + n, 0, key, raw)])
                for n, (key, _, raw, _) in enumerate(group)
            ]
        else:
            encoded = kpl.aggregated((key, explicit, raw) for key, explicit, raw, _ in group)
            parts = [kcls(100 * number, n, key, raw) for n, (key, _, raw, _) in enumerate(group)]
            if kind == "b":  # its last byte is wrong: KCL hands it on as it is
                encoded = encoded[:-1] + bytes([encoded[-1] ^ 1])
                parts = [kcls(100 * number, 0, "a", encoded)]
            records = [(boto3s(100 * number, "a", encoded), parts)]
        for record, delivered in records:
            states[shard.shard_id].apply(list(opened(delivered)))
            batches.append(Batch(shard, [record], behind_ms=0))
            for event_id in every_id:
                found.setdefault(event_id, []).extend(sightings(record, ARRIVED_MS, event_id, shard))
    folded = sorted(event_id for fold in folds.values() for event_id in fold.folded)
    assert sorted(json.loads(line)["event_id"] for line in _lines(batches, lambda: None, passed_over)) == folded
    fates = {event_id: [put.fate for put in judged(each)] for event_id, each in found.items()}
    assert sorted(event_id for event_id, fate in fates.items() if "takes effect" in fate) == folded
    readable = {event_id for _, group, kind in puts if kind != "b" for *_, event_id in group}
    assert all(fates[event_id] for event_id in readable), "of everything that was put there is word"
    foreign = sum(state.progress.foreign for state in states.values())
    assert sum(fate.count("not at home") for fate in fates.values()) == passed_over.total() == foreign
