"""Operations that change the shards: SplitShard, MergeShards, UpdateShardCount."""

from __future__ import annotations

import msgspec

from clickstream.infra.local.account import ACCOUNT
from clickstream.infra.local.kinesis.model.errors import InvalidArgumentException, ValidationException
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.shards import HASH_SPACE, Shard, are_adjacent, key_bytes, key_number
from clickstream.infra.local.kinesis.model.streams import ON_DEMAND, Merge, Scale, Split, Stream
from clickstream.infra.local.kinesis.model.validation import HASH_KEY_PATTERN, check, name_violation
from clickstream.infra.local.kinesis.operation import operation
from clickstream.infra.local.kinesis.operations.account import check_shard_quota
from clickstream.infra.local.limits import constraints


class ShardCountChange(msgspec.Struct, frozen=True):
    """What UpdateShardCount has set out to do."""

    stream: str
    arn: str
    current: int
    target: int


@operation
def split_shard(
    kinesis: Kinesis, stream: str | None, shard_to_split: str | None, new_starting_hash_key: str | None, now_ms: int
) -> None:
    """Split an open shard in two at a hash key (decimal)."""
    check(
        name_violation("shardToSplit", shard_to_split),
        constraints.required("newStartingHashKey", new_starting_hash_key)
        or constraints.pattern("newStartingHashKey", new_starting_hash_key, HASH_KEY_PATTERN),
    )
    assert new_starting_hash_key is not None
    found = _provisioned(kinesis, stream, now_ms)
    shard = _open_shard(kinesis, found, shard_to_split, now_ms)
    at, start, end = int(new_starting_hash_key), key_number(shard.start), key_number(shard.end)
    # AWS's own text; a child of a single hash key is thereby impossible at the low end and at the high end
    if not start + 1 < at < end or at >= HASH_SPACE:
        raise InvalidArgumentException(
            f"NewStartingHashKey {at} used in SplitShard() on shard {shard.shard_id} in stream {found.state.name} "
            f"under account {ACCOUNT} is not both greater than one plus the shard's StartingHashKey {start} and "
            f"less than the shard's EndingHashKey {end}."
        )
    check_shard_quota(kinesis, 1, now_ms)
    kinesis.begin(found, Split(shard.index, key_bytes(at)), now_ms)


@operation
def merge_shards(
    kinesis: Kinesis, stream: str | None, shard_to_merge: str | None, adjacent_shard_to_merge: str | None, now_ms: int
) -> None:
    """Merge two open shards whose ranges touch."""
    check(
        name_violation("shardToMerge", shard_to_merge),
        name_violation("adjacentShardToMerge", adjacent_shard_to_merge),
    )
    found = _provisioned(kinesis, stream, now_ms)
    shard = _open_shard(kinesis, found, shard_to_merge, now_ms)
    adjacent = _open_shard(kinesis, found, adjacent_shard_to_merge, now_ms)
    if not are_adjacent(shard, adjacent):
        raise InvalidArgumentException(
            f"Shards {shard.shard_id} and {adjacent.shard_id} in stream {found.state.name} under account {ACCOUNT} "
            "are not an adjacent pair of shards eligible for merging"
        )
    kinesis.begin(found, Merge(shard.index, adjacent.index), now_ms)


@operation
def update_shard_count(
    kinesis: Kinesis,
    stream: str | None,
    target_shard_count: int | None,
    now_ms: int,
    scaling_type: str | None = "UNIFORM_SCALING",
) -> ShardCountChange:
    """Scale to a number of shards of equal ranges, by splits and merges.

    With limits enforced AWS's bounds hold: at most double and at least half of the open shards.
    """
    check(
        constraints.required("targetShardCount", target_shard_count)
        or constraints.between("targetShardCount", target_shard_count, 1),
        constraints.required("scalingType", scaling_type)
        or constraints.one_of("scalingType", scaling_type, ("UNIFORM_SCALING",)),
    )
    assert target_shard_count is not None
    found = _provisioned(kinesis, stream, now_ms)
    current = len(found.graph.open_shards)
    if kinesis.settings.enforce_limits and not (current + 1) // 2 <= target_shard_count <= current * 2:
        raise InvalidArgumentException(
            f"TargetShardCount {target_shard_count} for stream {found.state.name} under account {ACCOUNT} must be at "
            f"least half and at most double the current {current} open shards."
        )
    check_shard_quota(kinesis, target_shard_count - current, now_ms)
    change = ShardCountChange(found.state.name, found.state.arn, current, target_shard_count)
    if target_shard_count != current or not _is_uniform(found):
        kinesis.begin(found, Scale(target_shard_count), now_ms)
    return change


def _provisioned(kinesis: Kinesis, stream: str | None, now_ms: int) -> Stream:
    found = kinesis.idle(stream, now_ms)
    if found.state.mode == ON_DEMAND:
        raise ValidationException(
            f"Request is invalid. Stream {found.state.name} under account {ACCOUNT} is in On-Demand mode."
        )
    return found


def _open_shard(kinesis: Kinesis, stream: Stream, shard_id: str | None, now_ms: int) -> Shard:
    shard = kinesis.find_shard(stream, shard_id, now_ms)
    if not shard.is_open:
        raise InvalidArgumentException(
            f"Shard {shard.shard_id} in stream {stream.state.name} under account {ACCOUNT} has already been merged or "
            "split, and thus is not eligible for merging or splitting."
        )
    return shard


def _is_uniform(stream: Stream) -> bool:
    shards = stream.graph.open_shards
    return all(key_number(shard.start) == HASH_SPACE * at // len(shards) for at, shard in enumerate(shards))
