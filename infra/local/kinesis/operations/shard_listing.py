"""ListShards and its filters."""

from __future__ import annotations

import msgspec

from clickstream.infra.local.kinesis.model.errors import InvalidArgumentException
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.shards import Shard, index_of
from clickstream.infra.local.kinesis.model.streams import Stream
from clickstream.infra.local.kinesis.model.tokens import ListingToken
from clickstream.infra.local.kinesis.model.validation import check, name_violation
from clickstream.infra.local.kinesis.operation import operation
from clickstream.infra.local.kinesis.operations.pages import check_creation, open_listing_token
from clickstream.infra.local.limits import constraints

FILTER_TYPES = ("AFTER_SHARD_ID", "AT_TRIM_HORIZON", "FROM_TRIM_HORIZON", "AT_LATEST", "AT_TIMESTAMP", "FROM_TIMESTAMP")


MOST_SHARDS_LISTED = 1000


class ShardFilter(msgspec.Struct, frozen=True):
    """Which shards to list. ``type`` is one of :data:`FILTER_TYPES`."""

    type: str
    shard_id: str | None = None
    timestamp_ms: int | None = None


class ShardPage(msgspec.Struct, frozen=True):
    """A page of shards in the order of their ids."""

    shards: list[Shard]
    next_token: str | None


@operation
def list_shards(
    kinesis: Kinesis,
    stream: str | None,
    now_ms: int,
    *,
    next_token: str | None = None,
    exclusive_start_shard_id: str | None = None,
    max_results: int | None = None,
    shard_filter: ShardFilter | None = None,
    stream_creation_ms: int | None = None,
) -> ShardPage:
    """A page of shards. ``next_token`` stands alone, but for ``max_results``."""
    check(
        constraints.between("maxResults", max_results, 1, 10_000),
        constraints.length("nextToken", next_token, 1, 1_048_576),
        name_violation("exclusiveStartShardId", exclusive_start_shard_id) if exclusive_start_shard_id else None,
        *(() if shard_filter is None else _filter_violations(shard_filter)),
    )
    if next_token is not None:
        if stream or exclusive_start_shard_id or stream_creation_ms or shard_filter:
            raise InvalidArgumentException(
                "NextToken and StreamName (or StreamARN, ExclusiveStartShardId, StreamCreationTimestamp, ShardFilter) "
                "cannot be provided together."
            )
        token = open_listing_token(kinesis, "ListShards", next_token, now_ms)
        stream, after = token.stream, int(token.after)
        if token.filter_type is not None:
            shard_filter = ShardFilter(token.filter_type, token.filter_shard_id, token.filter_timestamp_ms)
    else:
        after = _shard_index(exclusive_start_shard_id) if exclusive_start_shard_id else -1
    found = kinesis.find(stream, now_ms)
    check_creation(found, stream_creation_ms)
    kinesis.expire(found, now_ms)
    wanted = sorted(_filtered(found, shard_filter, now_ms), key=lambda shard: shard.index)
    wanted = [shard for shard in wanted if shard.index > after]
    page = wanted[: min(max_results or MOST_SHARDS_LISTED, MOST_SHARDS_LISTED)]
    more = None
    if len(page) < len(wanted):
        chosen = () if shard_filter is None else (shard_filter.type, shard_filter.shard_id, shard_filter.timestamp_ms)
        more = kinesis.seal.seal(ListingToken("ListShards", found.state.name, str(page[-1].index), now_ms, *chosen))
    return ShardPage(page, more)


def _filter_violations(shard_filter: ShardFilter) -> tuple[str | None, ...]:
    return (
        constraints.required("shardFilter.type", shard_filter.type or None)
        or constraints.one_of("shardFilter.type", shard_filter.type, FILTER_TYPES),
        None if shard_filter.shard_id is None else name_violation("shardFilter.shardId", shard_filter.shard_id),
    )


def _shard_index(shard_id: str) -> int:
    index = index_of(shard_id)
    if index is None:
        raise InvalidArgumentException(f"Shard {shard_id} is not a shard id.")
    return index


def _filtered(stream: Stream, shard_filter: ShardFilter | None, now_ms: int) -> list[Shard]:
    shards = list(stream.graph.shards.values())
    if shard_filter is None:
        return shards
    oldest_ms = max(stream.horizon_ms(now_ms), stream.state.created_ms)
    match shard_filter.type:
        case "AT_LATEST":
            return [shard for shard in shards if shard.is_open]
        case "AFTER_SHARD_ID":
            if shard_filter.shard_id is None:
                raise InvalidArgumentException("ShardId must be provided with a ShardFilter of type AFTER_SHARD_ID.")
            after = _shard_index(shard_filter.shard_id)
            return [shard for shard in shards if shard.index > after]
        case "AT_TRIM_HORIZON":
            return [shard for shard in shards if _is_open_at(shard, oldest_ms)]
        case "FROM_TRIM_HORIZON":
            return [shard for shard in shards if shard.closed_ms is None or shard.closed_ms >= oldest_ms]
    timestamp_ms = shard_filter.timestamp_ms
    if timestamp_ms is None:
        raise InvalidArgumentException(f"Timestamp must be provided with a ShardFilter of type {shard_filter.type}.")
    if timestamp_ms > now_ms:
        raise InvalidArgumentException("The Timestamp of a ShardFilter cannot be in the future.")
    timestamp_ms = max(timestamp_ms, oldest_ms)
    if shard_filter.type == "AT_TIMESTAMP":
        return [shard for shard in shards if _is_open_at(shard, timestamp_ms)]
    return [shard for shard in shards if shard.closed_ms is None or shard.closed_ms >= timestamp_ms]


def _is_open_at(shard: Shard, timestamp_ms: int) -> bool:
    # parents close and children open in the same millisecond: it belongs to the children alone, else ranges would overlap
    return shard.created_ms <= timestamp_ms and (shard.closed_ms is None or shard.closed_ms > timestamp_ms)
