"""Advice on recorded situations: what an operator would say, and no more."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickstream.operating import advice
from clickstream.operating.advice import Reader, ShardLag, ShardLoad, Situation, advise
from clickstream.operating.resharding import Merge, Scale, Split
from clickstream.records.routing import MAX_HASH_KEY, HashRange, Shard

WIDTH = (MAX_HASH_KEY + 1) // 4


def shard(number: int) -> Shard:
    return Shard(shard_id=f"shardId-{number:012d}", hash_range=HashRange.of(number * WIDTH, (number + 1) * WIDTH - 1))


def load(number: int, kilobytes: float, records: float = 100, **more: Any) -> ShardLoad:
    middle = number * WIDTH + WIDTH // 2
    return ShardLoad(
        shard=shard(number),
        bytes_per_s=kilobytes * 1000,
        records_per_s=records,
        balance=(more.pop("balance", middle), more.pop("below", 0.5)),
        heaviest=("u-1", more.pop("heaviest", 0.01)),
        **more,
    )


def reader(application: str, *behind: tuple[int, int], owners: str = "aabb") -> Reader:
    """``behind``: per shard, milliseconds now and before."""
    lags = tuple(
        ShardLag(shard_id=shard(n).shard_id, owner=owner, behind_ms=now, before_ms=before)
        for n, (owner, (now, before)) in enumerate(zip(owners, behind, strict=True))
    )
    return Reader(application=application, workers=len(set(owners)), lags=lags)


WELL = reader("analytics", *[(0, 0)] * 4)
STEADY = tuple(load(n, 400) for n in range(4))


def situation(shards: tuple[ShardLoad, ...] = STEADY, *readers: Reader, **more: Any) -> Situation:
    return Situation(on_demand=more.pop("on_demand", False), shards=shards, readers=readers or (WELL,), polling=1, **more)


def test_all_is_well() -> None:
    assert advise(situation()) == []


def test_a_hot_shard_is_split_where_its_bytes_are_halved() -> None:
    at = WIDTH + 12345
    (found,) = advise(situation((load(0, 300), load(1, 900, balance=at, below=0.48, heaviest=0.3), load(2, 300), load(3, 300))))
    assert found.step == Split(shard(1), at)
    assert "90%" in found.reason
    assert found.cost == pytest.approx(10.95)


def test_one_key_beyond_a_shard_is_not_split() -> None:
    (found,) = advise(situation((load(0, 300), load(1, 950, heaviest=0.97), load(2, 300), load(3, 300))))
    assert (found.kind, found.what, found.step) == ("tame_key", "slow u-1 down", None)
    assert shard(1).shard_id in found.reason


def test_too_many_records_are_as_hot_as_too_many_bytes() -> None:
    (found,) = advise(situation((load(0, 100, records=990), load(1, 300), load(2, 300), load(3, 300))))
    assert isinstance(found.step, Split)


def test_an_under_provisioned_stream_is_scaled() -> None:
    (found,) = advise(situation(tuple(load(n, 950) for n in range(4))))
    assert found.step == Scale(4, 7)  # 3.8 shards' worth at 60 %
    assert found.cost == pytest.approx(3 * 10.95)


def test_readers_that_poll_share_a_limit_of_their_own() -> None:
    """600 kB/s are well for a writer, but five pollers read 3 MB/s of a shard that gives 2."""
    apart = Situation(on_demand=False, shards=tuple(load(n, 600) for n in range(4)), readers=(WELL,), polling=0)
    assert advise(apart) == []
    together = Situation(on_demand=False, shards=apart.shards, readers=(WELL,), polling=5)
    (found,) = advise(together)
    assert found.step == Scale(4, 10)


def test_an_idle_stream_is_merged_pair_by_pair() -> None:
    found = advise(situation(tuple(load(n, 20, records=5) for n in range(4))))
    assert [each.step for each in found] == [Merge(shard(0), shard(1)), Merge(shard(2), shard(3))]
    assert sum(each.cost for each in found) == pytest.approx(-2 * 10.95)


def test_nothing_is_merged_while_a_reader_is_behind() -> None:
    idle = tuple(load(n, 20, records=5) for n in range(4))
    found = advise(situation(idle, reader("archive", (90_000, 60_000), (0, 0), (0, 0), (0, 0))))
    assert [each.kind for each in found] == ["add_worker"]


def test_one_slow_consumer_gets_a_worker() -> None:
    slow = reader("fraud", (45_000, 40_000), (50_000, 45_000), (40_000, 38_000), (60_000, 52_000), owners="aaaa")
    (found,) = advise(situation(STEADY, WELL, slow))
    assert (found.kind, found.what) == ("add_worker", "add a worker: clickstream worker fraud -w <ID>")
    assert "60 s behind on shardId-000000000003" in found.reason
    assert "4 of 4 shards" in found.reason


def test_a_slow_consumer_with_a_worker_per_shard_needs_another_shard() -> None:
    slow = reader("fraud", (0, 0), (0, 0), (45_000, 40_000), (0, 0), owners="abcd")
    (found,) = advise(situation(STEADY, WELL, slow))
    assert found.step == Split(shard(2), 2 * WIDTH + WIDTH // 2)


def test_one_that_catches_up_is_left_alone() -> None:
    assert advise(situation(STEADY, reader("fraud", *[(45_000, 60_000)] * 4))) == []


def test_a_hot_shard_explains_its_readers_lag() -> None:
    late = reader("analytics", (0, 0), (45_000, 40_000), (0, 0), (0, 0))
    found = advise(situation((load(0, 300), load(1, 990), load(2, 300), load(3, 300)), late))
    assert [each.kind for each in found] == ["reshard"]


def test_a_load_with_one_high_peak_is_cheaper_on_demand() -> None:
    (found,) = advise(situation(STEADY, day=(300_000.0, 40_000_000.0)))
    assert (found.kind, found.what, found.cost < 0) == ("change_mode", "change the stream to ON_DEMAND", True)


def test_a_steady_load_is_cheaper_provisioned() -> None:
    (found,) = advise(situation(tuple(load(n, 950) for n in range(4)), on_demand=True, day=(3_800_000.0, 4_000_000.0)))
    assert (found.kind, found.what, found.cost < 0) == ("change_mode", "change the stream to PROVISIONED", True)


def test_an_on_demand_stream_is_never_told_to_reshard() -> None:
    """Kinesis refuses it."""
    for kilobytes in (1, 950):
        found = advise(situation(tuple(load(n, kilobytes) for n in range(4)), on_demand=True))
        assert all(each.step is None for each in found)


@given(st.lists(st.floats(0, 1200), min_size=4, max_size=4))
def test_a_split_is_not_taken_back_and_a_merge_neither(kilobytes: list[float]) -> None:
    """The shards that an advice makes, under the same load, are not what the next advice undoes."""
    for each in advise(situation(tuple(load(n, rate, records=10) for n, rate in enumerate(kilobytes)))):
        if isinstance(each.step, Merge):
            number = int(each.step.shard.shard_id[-1])
            assert (kilobytes[number] + kilobytes[number + 1]) / 1000 < advice.HOT
        if isinstance(each.step, Scale):
            assert sum(kilobytes) / 1000 / each.step.target > advice.MERGED_AT_MOST / 2


keys = st.lists(st.tuples(st.integers(0, MAX_HASH_KEY), st.integers(1, 1000)), max_size=30)


@given(keys)
def test_the_best_place_to_divide(keys: list[tuple[int, int]]) -> None:
    found = advice.balance(keys)
    distinct = sorted({key for key, _ in keys})
    if len(distinct) < 2:
        assert found is None
        return
    assert found is not None
    at, below = found
    total = sum(weight for _, weight in keys)
    assert sum(weight for key, weight in keys if key < at) == pytest.approx(below * total)
    best = min(abs(sum(weight for key, weight in keys if key < cut) / total - 0.5) for cut in distinct[1:])
    assert abs(below - 0.5) == pytest.approx(best)


def test_every_advice_can_be_told() -> None:
    slow = reader("fraud", *[(45_000, 40_000)] * 4, owners="aaaa")
    shards = (load(0, 300), load(1, 900), load(2, 950, heaviest=0.97), load(3, 300))
    found = [*advise(situation(shards, slow)), *advise(situation(STEADY, day=(300_000.0, 40_000_000.0)))]
    assert [each.kind for each in found] == ["reshard", "tame_key", "add_worker", "change_mode"]
    for each in found:
        document = advice.document(each)
        assert (document["kind"], document["applies"]) == (each.kind, each.kind == "reshard")
        assert f"because {document['reason']}" in advice.line(each)
        assert advice.line(each).startswith(f"{document['what']}\n")
