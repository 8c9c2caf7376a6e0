"""Operations on the shard graph: SplitShard, MergeShards, UpdateShardCount, ListShards."""

from __future__ import annotations

import msgspec

from infra.local.kinesis import validation
from infra.local.kinesis.errors import (
    ExpiredNextTokenException,
    InvalidArgumentException,
    LimitExceededException,
    ResourceInUseException,
    ValidationException,
)
from infra.local.kinesis.registry import ACCOUNT_ID, Registry, operation
from infra.local.kinesis.shards import HASH_SPACE, Shard, are_adjacent, index_of, key_bytes, key_number
from infra.local.kinesis.streams import ON_DEMAND, Merge, Scale, Split, Stream
from infra.local.kinesis.tokens import LIFE_MS, ListingToken

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


class ShardCountChange(msgspec.Struct, frozen=True):
    """What UpdateShardCount has set out to do."""

    stream: str
    arn: str
    current: int
    target: int


class ReshardOperations(Registry):
    """Changing and listing shards."""

    @operation("SplitShard")
    def split_shard(
        self, stream: str | None, shard_to_split: str | None, new_starting_hash_key: str | None, now_ms: int
    ) -> None:
        """Split an open shard in two at a hash key (decimal)."""
        validation.check(
            validation.name("shardToSplit", shard_to_split),
            validation.required("newStartingHashKey", new_starting_hash_key)
            or validation.pattern("newStartingHashKey", new_starting_hash_key, validation.HASH_KEY_PATTERN),
        )
        assert new_starting_hash_key is not None
        found = self._provisioned(stream, now_ms)
        shard = self._open_shard(found, shard_to_split, now_ms)
        at, start, end = int(new_starting_hash_key), key_number(shard.start), key_number(shard.end)
        # AWS's own text; a child of a single hash key is thereby impossible at the low end and at the high end
        if not start + 1 < at < end or at >= HASH_SPACE:
            raise InvalidArgumentException(
                f"NewStartingHashKey {at} used in SplitShard() on shard {shard.shard_id} in stream {found.state.name} "
                f"under account {ACCOUNT_ID} is not both greater than one plus the shard's StartingHashKey {start} and "
                f"less than the shard's EndingHashKey {end}."
            )
        self.check_shard_quota(1, now_ms)
        self.begin(found, Split(shard.index, key_bytes(at)), now_ms)

    @operation("MergeShards")
    def merge_shards(
        self, stream: str | None, shard_to_merge: str | None, adjacent_shard_to_merge: str | None, now_ms: int
    ) -> None:
        """Merge two open shards whose ranges touch."""
        validation.check(
            validation.name("shardToMerge", shard_to_merge),
            validation.name("adjacentShardToMerge", adjacent_shard_to_merge),
        )
        found = self._provisioned(stream, now_ms)
        shard = self._open_shard(found, shard_to_merge, now_ms)
        adjacent = self._open_shard(found, adjacent_shard_to_merge, now_ms)
        if not are_adjacent(shard, adjacent):
            raise InvalidArgumentException(
                f"Shards {shard.shard_id} and {adjacent.shard_id} in stream {found.state.name} under account {ACCOUNT_ID} "
                "are not an adjacent pair of shards eligible for merging"
            )
        self.begin(found, Merge(shard.index, adjacent.index), now_ms)

    @operation("UpdateShardCount")
    def update_shard_count(
        self,
        stream: str | None,
        target_shard_count: int | None,
        now_ms: int,
        scaling_type: str | None = "UNIFORM_SCALING",
    ) -> ShardCountChange:
        """Scale to a number of shards of equal ranges, by splits and merges.

        With limits enforced AWS's bounds hold: at most double and at least half of the open shards.
        """
        validation.check(
            validation.required("targetShardCount", target_shard_count)
            or validation.between("targetShardCount", target_shard_count, 1),
            validation.required("scalingType", scaling_type)
            or validation.one_of("scalingType", scaling_type, ("UNIFORM_SCALING",)),
        )
        assert target_shard_count is not None
        found = self._provisioned(stream, now_ms)
        current = len(found.graph.open_shards)
        if self.settings.enforce_limits and not (current + 1) // 2 <= target_shard_count <= current * 2:
            raise InvalidArgumentException(
                f"TargetShardCount {target_shard_count} for stream {found.state.name} under account {ACCOUNT_ID} must be at "
                f"least half and at most double the current {current} open shards."
            )
        self.check_shard_quota(target_shard_count - current, now_ms)
        change = ShardCountChange(found.state.name, found.state.arn, current, target_shard_count)
        if target_shard_count != current or not _is_uniform(found):
            self.begin(found, Scale(target_shard_count), now_ms)
        return change

    @operation("ListShards")
    def list_shards(
        self,
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
        validation.check(
            validation.between("maxResults", max_results, 1, 10_000),
            validation.length("nextToken", next_token, 1, 1_048_576),
            validation.name("exclusiveStartShardId", exclusive_start_shard_id) if exclusive_start_shard_id else None,
            *(() if shard_filter is None else _filter_violations(shard_filter)),
        )
        if next_token is not None:
            if stream or exclusive_start_shard_id or stream_creation_ms or shard_filter:
                raise InvalidArgumentException(
                    "NextToken and StreamName (or StreamARN, ExclusiveStartShardId, StreamCreationTimestamp, ShardFilter) "
                    "cannot be provided together."
                )
            token = self.open_listing_token("ListShards", next_token, now_ms)
            stream, after = token.stream, int(token.after)
            if token.filter_type is not None:
                shard_filter = ShardFilter(token.filter_type, token.filter_shard_id, token.filter_timestamp_ms)
        else:
            after = _shard_index(exclusive_start_shard_id) if exclusive_start_shard_id else -1
        found = self.find(stream, now_ms)
        self.check_creation(found, stream_creation_ms)
        self.expire(found, now_ms)
        wanted = sorted(_filtered(found, shard_filter, now_ms), key=lambda shard: shard.index)
        wanted = [shard for shard in wanted if shard.index > after]
        page = wanted[: min(max_results or MOST_SHARDS_LISTED, MOST_SHARDS_LISTED)]
        more = None
        if len(page) < len(wanted):
            chosen = () if shard_filter is None else (shard_filter.type, shard_filter.shard_id, shard_filter.timestamp_ms)
            more = self.seal.seal(ListingToken("ListShards", found.state.name, str(page[-1].index), now_ms, *chosen))
        return ShardPage(page, more)

    def open_listing_token(self, operation: str, text: str, now_ms: int) -> ListingToken:
        """The pagination token's content, if this operation gave it and it is not five minutes old."""
        try:
            token = self.seal.unseal(text, ListingToken)
        except (ValueError, msgspec.MsgspecError):
            raise InvalidArgumentException("NextToken is invalid.") from None
        if token.operation != operation:
            raise InvalidArgumentException("NextToken is invalid.")
        if now_ms - token.issued_ms > LIFE_MS:
            raise ExpiredNextTokenException("NextToken has expired.")
        return token

    def check_creation(self, stream: Stream, created_ms: int | None) -> None:
        """Refuse a call that means an earlier or later stream of the same name; seconds decide."""
        if created_ms is not None and created_ms // 1000 != stream.state.created_ms // 1000:
            raise ResourceInUseException(f"Stream {stream.state.name} was created at another time than the one given.")

    def check_shard_quota(self, more: int, now_ms: int) -> None:
        """Refuse to open ``more`` shards above the account's quota; on-demand streams do not count."""
        # settled first: a deleted stream that nobody asked for since would be counted for ever
        alive = [one for one in list(self.streams.values()) if self._settle(one, now_ms)]
        in_use = sum(len(one.graph.open_shards) for one in alive if one.state.mode != ON_DEMAND)
        if more > 0 and in_use + more > self.settings.shard_quota:
            raise LimitExceededException(
                f"This request would exceed the shard limit for the account {ACCOUNT_ID} in {self.settings.region}. "
                f"Current shard count for the account: {in_use}. Limit: {self.settings.shard_quota}. "
                f"Number of additional shards that would have resulted from this request: {more}. "
            )

    def _provisioned(self, stream: str | None, now_ms: int) -> Stream:
        found = self.idle(stream, now_ms)
        if found.state.mode == ON_DEMAND:
            raise ValidationException(
                f"Request is invalid. Stream {found.state.name} under account {ACCOUNT_ID} is in On-Demand mode."
            )
        return found

    def _open_shard(self, stream: Stream, shard_id: str | None, now_ms: int) -> Shard:
        shard = self.find_shard(stream, shard_id, now_ms)
        if not shard.is_open:
            raise InvalidArgumentException(
                f"Shard {shard.shard_id} in stream {stream.state.name} under account {ACCOUNT_ID} has already been merged or "
                "split, and thus is not eligible for merging or splitting."
            )
        return shard


def _is_uniform(stream: Stream) -> bool:
    shards = stream.graph.open_shards
    return all(key_number(shard.start) == HASH_SPACE * at // len(shards) for at, shard in enumerate(shards))


def _filter_violations(shard_filter: ShardFilter) -> tuple[str | None, ...]:
    return (
        validation.required("shardFilter.type", shard_filter.type or None)
        or validation.one_of("shardFilter.type", shard_filter.type, FILTER_TYPES),
        None if shard_filter.shard_id is None else validation.name("shardFilter.shardId", shard_filter.shard_id),
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
