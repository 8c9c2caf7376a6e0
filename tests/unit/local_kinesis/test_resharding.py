"""SplitShard, MergeShards, UpdateShardCount, ListShards, and what readers of closed shards see."""

from __future__ import annotations

import pytest

from clickstream.infra.local.kinesis.model.errors import (
    ExpiredNextTokenException,
    InvalidArgumentException,
    LimitExceededException,
    ResourceInUseException,
    ResourceNotFoundException,
    ValidationException,
)
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.records import PutEntry, StartingPosition
from clickstream.infra.local.kinesis.model.settings import ModelSettings
from clickstream.infra.local.kinesis.model.shards import HASH_SPACE, key_number
from clickstream.infra.local.kinesis.operations.reading import get_records, get_shard_iterator
from clickstream.infra.local.kinesis.operations.resharding import merge_shards, split_shard, update_shard_count
from clickstream.infra.local.kinesis.operations.settings import update_stream_mode
from clickstream.infra.local.kinesis.operations.shard_listing import ShardFilter, list_shards
from clickstream.infra.local.kinesis.operations.streams import create_stream, delete_stream, describe_stream_summary
from clickstream.infra.local.kinesis.operations.writing import put_record

FIRST, SECOND, THIRD, FOURTH = (f"shardId-{number:012d}" for number in range(4))
QUARTER = str(HASH_SPACE // 4)
HOUR = 3_600_000


def listed(kinesis: Kinesis, now: int, shard_filter: ShardFilter | None = None) -> list[int]:
    return [shard.index for shard in list_shards(kinesis, "clicks", now, shard_filter=shard_filter).shards]


def test_a_split_shard_stays_readable_and_ends_with_its_children(kinesis: Kinesis, now: int) -> None:
    put_record(kinesis, "clicks", PutEntry("k", b"before", "0"), now)
    iterator: str | None = get_shard_iterator(kinesis, "clicks", FIRST, StartingPosition("TRIM_HORIZON"), now)
    split_shard(kinesis, "clicks", FIRST, QUARTER, now + 1)
    assert put_record(kinesis, "clicks", PutEntry("k", b"after", "0"), now + 2).shard_id == THIRD
    end = get_records(kinesis, iterator, now + 3)
    assert [record.data for record in end.records] == [b"before"]
    assert end.next_iterator is None
    assert [(child.shard_id, child.parents) for child in end.child_shards] == [(THIRD, (0,)), (FOURTH, (0,))]
    assert key_number(end.child_shards[1].start) == HASH_SPACE // 4


def test_a_closed_shard_read_in_parts_ends_only_with_its_last_record(kinesis: Kinesis, now: int) -> None:
    for text in (b"a", b"b"):
        put_record(kinesis, "clicks", PutEntry("k", text, "0"), now)
    split_shard(kinesis, "clicks", FIRST, QUARTER, now)
    iterator = get_shard_iterator(kinesis, "clicks", FIRST, StartingPosition("TRIM_HORIZON"), now)
    first = get_records(kinesis, iterator, now, limit=1)
    assert first.next_iterator is not None
    assert first.child_shards == []
    assert get_records(kinesis, first.next_iterator, now, limit=1).next_iterator is None


def test_merged_shards_both_lead_to_the_child(kinesis: Kinesis, now: int) -> None:
    merge_shards(kinesis, "clicks", FIRST, SECOND, now)
    for parent in (FIRST, SECOND):
        iterator = get_shard_iterator(kinesis, "clicks", parent, StartingPosition("LATEST"), now)
        (child,) = get_records(kinesis, iterator, now).child_shards
        assert child.shard_id == THIRD
        assert child.parents == (0, 1)


def test_numbers_of_children_are_greater_even_within_a_second(kinesis: Kinesis, now: int) -> None:
    split_shard(kinesis, "clicks", FIRST, QUARTER, now)
    merge_shards(kinesis, "clicks", THIRD, FOURTH, now)
    shards = {shard.index: shard for shard in list_shards(kinesis, "clicks", now).shards}
    for shard in shards.values():
        for parent in shard.parents:
            assert int(shards[parent].ending_sequence_number or 0) < int(shard.starting_sequence_number)


def test_scaling_leaves_uniform_ranges_and_every_shard_a_descendant(kinesis: Kinesis, now: int) -> None:
    change = update_shard_count(kinesis, "clicks", 3, now)
    assert (change.current, change.target) == (2, 3)
    shards = {shard.index: shard for shard in list_shards(kinesis, "clicks", now).shards}
    open_shards = sorted((shard for shard in shards.values() if shard.is_open), key=lambda shard: shard.start)
    assert [key_number(shard.start) for shard in open_shards] == [0, HASH_SPACE // 3, HASH_SPACE * 2 // 3]
    assert all(shard.parents for shard in open_shards)


def test_scaling_to_the_same_uniform_count_changes_nothing(kinesis: Kinesis, now: int) -> None:
    update_shard_count(kinesis, "clicks", 2, now)
    assert listed(kinesis, now) == [0, 1]


@pytest.mark.parametrize("target", [1, 2, 5, 7, 8, 16])
def test_with_limits_scaling_is_at_most_double_and_at_least_half(now: int, target: int) -> None:
    kinesis = Kinesis(ModelSettings(enforce_limits=True))
    create_stream(kinesis, "clicks", now, shard_count=4)
    if 2 <= target <= 8:
        update_shard_count(kinesis, "clicks", target, now)
    else:
        with pytest.raises(InvalidArgumentException):
            update_shard_count(kinesis, "clicks", target, now)


def test_refusals(kinesis: Kinesis, now: int) -> None:
    split_shard(kinesis, "clicks", FIRST, QUARTER, now)
    with pytest.raises(InvalidArgumentException, match="already been merged or split"):
        split_shard(kinesis, "clicks", FIRST, QUARTER, now)
    with pytest.raises(InvalidArgumentException, match="already been merged or split"):
        merge_shards(kinesis, "clicks", FIRST, SECOND, now)
    with pytest.raises(InvalidArgumentException, match="not an adjacent pair"):
        merge_shards(kinesis, "clicks", THIRD, SECOND, now)
    with pytest.raises(ResourceNotFoundException):
        split_shard(kinesis, "clicks", "shardId-000000000099", QUARTER, now)
    with pytest.raises(ValidationException):
        split_shard(kinesis, "clicks", SECOND, "-1", now)
    for at in (HASH_SPACE // 2, HASH_SPACE // 2 + 1, HASH_SPACE - 1, 5):
        with pytest.raises(InvalidArgumentException, match="NewStartingHashKey"):
            split_shard(kinesis, "clicks", SECOND, str(at), now)


def test_the_quota_of_open_shards(now: int) -> None:
    kinesis = Kinesis(ModelSettings(shard_quota=4))
    create_stream(kinesis, "clicks", now, shard_count=4)
    with pytest.raises(LimitExceededException):
        split_shard(kinesis, "clicks", FIRST, str(HASH_SPACE // 8), now)
    with pytest.raises(LimitExceededException):
        update_shard_count(kinesis, "clicks", 5, now)
    with pytest.raises(LimitExceededException):
        create_stream(kinesis, "more", now, shard_count=1)
    update_shard_count(kinesis, "clicks", 3, now)
    create_stream(kinesis, "more", now, shard_count=1)


def test_every_filter(kinesis: Kinesis, now: int) -> None:
    split_shard(kinesis, "clicks", FIRST, QUARTER, now + 10)
    merge_shards(kinesis, "clicks", THIRD, FOURTH, now + 20)
    at = now + 30
    assert listed(kinesis, at) == [0, 1, 2, 3, 4]
    assert listed(kinesis, at, ShardFilter("AT_LATEST")) == [1, 4]
    assert listed(kinesis, at, ShardFilter("AT_TRIM_HORIZON")) == [0, 1]
    assert listed(kinesis, at, ShardFilter("FROM_TRIM_HORIZON")) == [0, 1, 2, 3, 4]
    assert listed(kinesis, at, ShardFilter("AFTER_SHARD_ID", shard_id=SECOND)) == [2, 3, 4]
    assert listed(kinesis, at, ShardFilter("AT_TIMESTAMP", timestamp_ms=now + 9)) == [0, 1]
    assert listed(kinesis, at, ShardFilter("AT_TIMESTAMP", timestamp_ms=now + 10)) == [1, 2, 3]
    assert listed(kinesis, at, ShardFilter("AT_TIMESTAMP", timestamp_ms=now + 20)) == [1, 4]
    assert listed(kinesis, at, ShardFilter("FROM_TIMESTAMP", timestamp_ms=now + 11)) == [1, 2, 3, 4]
    for bad in (ShardFilter("AT_TIMESTAMP"), ShardFilter("AFTER_SHARD_ID"), ShardFilter("FROM_TIMESTAMP", None, at + 1)):
        with pytest.raises(InvalidArgumentException):
            listed(kinesis, at, bad)


def test_closed_shards_go_when_nothing_in_them_can_be_retained(kinesis: Kinesis, now: int) -> None:
    split_shard(kinesis, "clicks", FIRST, QUARTER, now)
    assert listed(kinesis, now + 24 * HOUR) == [0, 1, 2, 3]
    assert listed(kinesis, now + 24 * HOUR + 1) == [1, 2, 3]
    with pytest.raises(ResourceNotFoundException):
        get_shard_iterator(kinesis, "clicks", FIRST, StartingPosition("TRIM_HORIZON"), now + 24 * HOUR + 1)


def test_pages_keep_their_filter_and_expire(kinesis: Kinesis, now: int) -> None:
    update_shard_count(kinesis, "clicks", 4, now)
    first = list_shards(kinesis, "clicks", now, max_results=3, shard_filter=ShardFilter("AT_LATEST"))
    assert [shard.index for shard in first.shards] == [2, 3, 4]
    second = list_shards(kinesis, None, now, next_token=first.next_token)
    assert [shard.index for shard in second.shards] == [5]
    assert second.next_token is None
    with pytest.raises(InvalidArgumentException):
        list_shards(kinesis, "clicks", now, next_token=first.next_token)
    with pytest.raises(InvalidArgumentException):
        list_shards(kinesis, None, now, next_token="rubbish")
    with pytest.raises(ExpiredNextTokenException):
        list_shards(kinesis, None, now + 300_001, next_token=first.next_token)


def test_a_change_takes_its_time_and_the_parent_takes_records_meanwhile(now: int) -> None:
    kinesis = Kinesis(ModelSettings(transition_ms=1000))
    create_stream(kinesis, "clicks", now, shard_count=1)
    assert describe_stream_summary(kinesis, "clicks", now).status == "CREATING"
    with pytest.raises(ResourceNotFoundException):
        put_record(kinesis, "clicks", PutEntry("k", b""), now)
    split_shard(kinesis, "clicks", FIRST, QUARTER, now + 1000)
    assert describe_stream_summary(kinesis, "clicks", now + 1999).status == "UPDATING"
    with pytest.raises(ResourceInUseException, match="UPDATING"):
        split_shard(kinesis, "clicks", FIRST, QUARTER, now + 1999)
    assert put_record(kinesis, "clicks", PutEntry("k", b"", "0"), now + 1999).shard_id == FIRST
    assert put_record(kinesis, "clicks", PutEntry("k", b"", "0"), now + 2500).shard_id == SECOND
    assert [shard.created_ms for shard in list_shards(kinesis, "clicks", now + 2500).shards] == [now, now + 2000, now + 2000]
    delete_stream(kinesis, "clicks", now + 3000)
    assert describe_stream_summary(kinesis, "clicks", now + 3999).status == "DELETING"
    with pytest.raises(ResourceNotFoundException):
        describe_stream_summary(kinesis, "clicks", now + 4000)


def test_an_on_demand_stream_cannot_be_resharded_by_hand(now: int) -> None:
    kinesis = Kinesis()
    create_stream(kinesis, "clicks", now, mode="ON_DEMAND")
    assert listed(kinesis, now) == [0, 1, 2, 3]
    with pytest.raises(ValidationException, match="On-Demand"):
        update_shard_count(kinesis, "clicks", 8, now)
    update_stream_mode(kinesis, kinesis.stream_arn("clicks"), "PROVISIONED", now)
    update_shard_count(kinesis, "clicks", 8, now)
