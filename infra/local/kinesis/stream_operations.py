"""Operations on streams: their life and their descriptions."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from infra.local.kinesis import validation
from infra.local.kinesis.errors import ResourceInUseException, ValidationException
from infra.local.kinesis.limits import DEFAULT_SHARDS, MAX_RECORD_KIB, MIN_RECORD_KIB
from infra.local.kinesis.registry import ACCOUNT_ID, operation
from infra.local.kinesis.reshard_operations import ReshardOperations
from infra.local.kinesis.setting_operations import STRATEGIES, SettingOperations
from infra.local.kinesis.shards import Shard, ShardGraph
from infra.local.kinesis.streams import MODES, ON_DEMAND, PROVISIONED, Created, Deleted, Stream, StreamState
from infra.local.kinesis.tag_operations import TagOperations
from infra.local.kinesis.tokens import ListingToken

#: DescribeStream and ListStreams give no more at once, whatever ``Limit`` says.
PAGE = 100


class StreamPage(msgspec.Struct, frozen=True):
    """Streams in the order of their names."""

    streams: list[Stream]
    next_token: str | None


class StreamShards(msgspec.Struct, frozen=True):
    """A stream, and a page of its shards."""

    stream: Stream
    shards: list[Shard]
    has_more_shards: bool


class AccountLimits(msgspec.Struct, frozen=True):
    """What DescribeLimits tells."""

    shard_limit: int
    open_shard_count: int
    on_demand_stream_count: int
    on_demand_stream_count_limit: int = 50


class StreamOperations(ReshardOperations, SettingOperations, TagOperations):
    """The control plane, but for consumers."""

    @operation("CreateStream")
    def create_stream(
        self,
        name: str | None,
        now_ms: int,
        *,
        shard_count: int | None = None,
        mode: str | None = None,
        tags: Mapping[str, str] | None = None,
        max_record_kib: int | None = None,
        warm_mibps: int | None = None,
        distribution: str | None = None,
    ) -> None:
        """Create a stream: of ``shard_count`` shards (default: four), or on demand (four)."""
        validation.check(
            validation.name("streamName", name),
            validation.between("shardCount", shard_count, 1),
            validation.one_of("streamModeDetails.streamMode", mode, MODES),
            validation.between("maxRecordSizeInKiB", max_record_kib, MIN_RECORD_KIB, MAX_RECORD_KIB),
            validation.one_of("recordDistributionStrategy", distribution, STRATEGIES),
        )
        assert name is not None
        mode = mode or PROVISIONED
        if mode == ON_DEMAND and shard_count is not None:
            raise ValidationException("ShardCount must not be given for an ON_DEMAND stream.")
        self.check_warm(mode, warm_mibps)
        self.check_tags({}, tags)
        if name in self.streams and self._settle(self.streams[name], now_ms):
            raise ResourceInUseException(f"Stream {name} under account {ACCOUNT_ID} already exists.")
        if mode == PROVISIONED:
            self.check_shard_quota(shard_count or DEFAULT_SHARDS, now_ms)
        state = StreamState(
            name=name,
            arn=self.stream_arn(name),
            created_ms=now_ms,
            mode=mode,
            max_record_kib=max_record_kib or self.settings.max_record_kib,
            warm_mibps=warm_mibps,
            distribution=distribution,
        )
        stream = Stream(state)
        stream.graph = ShardGraph.uniform(shard_count or DEFAULT_SHARDS, now_ms)
        stream.open_logs()
        state.tags.update(tags or {})
        self.streams[name] = stream
        self.begin(stream, Created(), now_ms)

    @operation("DeleteStream")
    def delete_stream(self, stream: str | None, now_ms: int, *, enforce_consumer_deletion: bool = False) -> None:
        """Delete a stream and its records; with registered consumers only if told so."""
        found = self.find(stream, now_ms)
        if found.state.consumers and not enforce_consumer_deletion:
            raise ResourceInUseException(
                f"Stream {found.state.name} under account {ACCOUNT_ID} has active consumers; "
                "deregister them or set EnforceConsumerDeletion."
            )
        found.state.consumers.clear()
        self.begin(found, Deleted(), now_ms)

    @operation("DescribeStream")
    def describe_stream(
        self,
        stream: str | None,
        now_ms: int,
        *,
        limit: int | None = None,
        exclusive_start_shard_id: str | None = None,
    ) -> StreamShards:
        """A stream and up to ``limit`` (default and most: 100) of its shards."""
        validation.check(
            validation.between("limit", limit, 1, 10_000),
            exclusive_start_shard_id and validation.name("exclusiveStartShardId", exclusive_start_shard_id),
        )
        found = self.find(stream, now_ms)
        self.expire(found, now_ms)
        shards = sorted(found.graph.shards.values(), key=lambda shard: shard.index)
        if found.status == "CREATING":
            shards = []
        if exclusive_start_shard_id:
            shards = [shard for shard in shards if shard.shard_id > exclusive_start_shard_id]
        page = shards[: min(limit or PAGE, PAGE)]
        return StreamShards(found, page, len(page) < len(shards))

    @operation("DescribeStreamSummary")
    def describe_stream_summary(self, stream: str | None, now_ms: int) -> Stream:
        return self.find(stream, now_ms)

    @operation("ListStreams")
    def list_streams(
        self,
        now_ms: int,
        *,
        limit: int | None = None,
        exclusive_start_stream_name: str | None = None,
        next_token: str | None = None,
    ) -> StreamPage:
        """A page of up to ``limit`` (default and most: 100) streams."""
        validation.check(validation.between("limit", limit, 1, 10_000))
        after = exclusive_start_stream_name or ""
        if next_token is not None:
            after = self.open_listing_token("ListStreams", next_token, now_ms).after
        alive = [one for one in list(self.streams.values()) if self._settle(one, now_ms)]
        names = sorted((one for one in alive if one.state.name > after), key=lambda one: one.state.name)
        page = names[: min(limit or PAGE, PAGE)]
        more = None
        if len(page) < len(names):
            more = self.seal.seal(ListingToken("ListStreams", "", page[-1].state.name, now_ms))
        return StreamPage(page, more)

    @operation("DescribeLimits")
    def describe_limits(self, now_ms: int) -> AccountLimits:
        alive = [one for one in list(self.streams.values()) if self._settle(one, now_ms)]
        provisioned = [one for one in alive if one.state.mode != ON_DEMAND]
        return AccountLimits(
            self.settings.shard_quota,
            sum(len(one.graph.open_shards) for one in provisioned),
            len(alive) - len(provisioned),
        )
