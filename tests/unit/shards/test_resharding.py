"""Plans of split, merge and scale: exact ranges, and what Kinesis would refuse is refused before it is asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickstream.errors import Missing, UserMistake
from clickstream.operating.resharding import Merge, Scale, Split, described, find, merge, scale, split
from clickstream.records.routing import HashRange, Shard

SPACE = 2**128
QUARTER = SPACE // 4


def shard(number: int, start: int, end: int, *, parents: tuple[str, ...] = (), is_open: bool = True) -> Shard:
    return Shard(shard_id=f"shardId-{number:012d}", hash_range=HashRange.of(start, end), parents=parents, is_open=is_open)


QUARTERS = [shard(n, n * QUARTER, (n + 1) * QUARTER - 1) for n in range(4)]


def test_a_shard_is_found_by_its_id_or_its_number() -> None:
    assert find(QUARTERS, "shardId-000000000002") is find(QUARTERS, "2") is QUARTERS[2]


@pytest.mark.parametrize("name", ["4", "shardId-4", "", "-1", "²"])
def test_an_unknown_shard_is_missing(name: str) -> None:
    with pytest.raises(Missing, match="has no shard"):
        find(QUARTERS, name)


def test_the_middle_halves_the_range() -> None:
    assert split(QUARTERS, "1") == Split(QUARTERS[1], QUARTER + QUARTER // 2)
    assert described(split(QUARTERS, "1")) == (
        "split shardId-000000000001 at 0x60000000000000000000000000000000 into 12.50% and 12.50%"
    )


@pytest.mark.parametrize(("at", "is_taken"), [(0, False), (1, False), (2, True), (QUARTER - 2, True), (QUARTER - 1, False)])
def test_a_split_is_strictly_inside_the_range_as_kinesis_wants_it(at: int, is_taken: bool) -> None:
    if is_taken:
        assert split(QUARTERS, "0", at).at == at
    else:
        with pytest.raises(UserMistake, match="cannot be split") as caught:
            split(QUARTERS, "0", at)
        assert "above 0x1 and below" in caught.value.hint


def test_a_shard_of_too_few_hash_keys_has_no_middle() -> None:
    with pytest.raises(UserMistake, match="cannot be split"):
        split([shard(0, 10, 12)], "0")
    assert split([shard(0, 10, 13)], "0").at == 12


def test_neighbours_merge_in_either_order() -> None:
    assert merge(QUARTERS, "2", "1") == merge(QUARTERS, "1", "2") == Merge(QUARTERS[1], QUARTERS[2])
    assert described(merge(QUARTERS, "2", "1")).endswith("into 50.00%")


def test_strangers_do_not_merge_and_the_neighbours_are_named() -> None:
    with pytest.raises(UserMistake, match="not neighbours") as caught:
        merge(QUARTERS, "0", "2")
    assert caught.value.hint == "shardId-000000000000 can be merged with shardId-000000000001"


def test_a_shard_does_not_merge_with_itself() -> None:
    with pytest.raises(UserMistake, match="not neighbours"):
        merge(QUARTERS, "1", "1")


def test_what_is_closed_stays_closed() -> None:
    graph = [shard(0, 0, SPACE - 1, is_open=False), shard(1, 0, 9, parents=("shardId-000000000000",)), shard(2, 10, SPACE - 1)]
    for refused in (lambda: split(graph, "0"), lambda: merge(graph, "0", "1")):
        with pytest.raises(UserMistake, match="closed"):
            refused()


@given(st.integers(1, 10_000), st.integers(1, 10_000))
def test_scaling_arrives_in_steps_that_kinesis_takes(current: int, target: int) -> None:
    steps = scale(current, target)
    at = current
    for step in steps:
        assert step.current == at
        assert at <= 2 * step.target  # at least half
        assert step.target <= 2 * at  # at most double
        at = step.target
    assert at == target
    assert len(steps) <= 15


def test_eight_to_three_goes_by_way_of_four() -> None:
    assert scale(8, 3) == [Scale(8, 4), Scale(4, 3)]
    assert scale(3, 3) == []
