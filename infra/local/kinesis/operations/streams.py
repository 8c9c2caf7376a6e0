"""Operations on streams: their life and their descriptions."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from clickstream.infra.local.account import ACCOUNT
from clickstream.infra.local.kinesis.model.errors import ResourceInUseException, ValidationException
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.shards import Shard, ShardGraph
from clickstream.infra.local.kinesis.model.streams import MODES, ON_DEMAND, PROVISIONED, Created, Deleted, Stream, StreamState
from clickstream.infra.local.kinesis.model.tokens import ListingToken
from clickstream.infra.local.kinesis.model.validation import check, name_violation
from clickstream.infra.local.kinesis.operation import operation
from clickstream.infra.local.kinesis.operations.account import check_shard_quota, check_warm
from clickstream.infra.local.kinesis.operations.pages import open_listing_token
from clickstream.infra.local.kinesis.operations.settings import STRATEGIES
from clickstream.infra.local.kinesis.operations.tags import check_tags
from clickstream.infra.local.limits import constraints
from clickstream.infra.local.limits.kinesis import DEFAULT_SHARDS, MAX_RECORD_KIB, MIN_RECORD_KIB

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


@operation
def create_stream(
    kinesis: Kinesis,
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
    check(
        name_violation("streamName", name),
        constraints.between("shardCount", shard_count, 1),
        constraints.one_of("streamModeDetails.streamMode", mode, MODES),
        constraints.between("maxRecordSizeInKiB", max_record_kib, MIN_RECORD_KIB, MAX_RECORD_KIB),
        constraints.one_of("recordDistributionStrategy", distribution, STRATEGIES),
    )
    assert name is not None
    mode = mode or PROVISIONED
    if mode == ON_DEMAND and shard_count is not None:
        raise ValidationException("ShardCount must not be given for an ON_DEMAND stream.")
    check_warm(kinesis, mode, warm_mibps)
    check_tags({}, tags)
    if name in kinesis.streams and kinesis.settle(kinesis.streams[name], now_ms):
        raise ResourceInUseException(f"Stream {name} under account {ACCOUNT} already exists.")
    if mode == PROVISIONED:
        check_shard_quota(kinesis, shard_count or DEFAULT_SHARDS, now_ms)
    state = StreamState(
        name=name,
        arn=kinesis.stream_arn(name),
        created_ms=now_ms,
        mode=mode,
        max_record_kib=max_record_kib or kinesis.settings.max_record_kib,
        warm_mibps=warm_mibps,
        distribution=distribution,
    )
    stream = Stream(state)
    stream.graph = ShardGraph.uniform(shard_count or DEFAULT_SHARDS, now_ms)
    stream.open_logs()
    state.tags.update(tags or {})
    kinesis.streams[name] = stream
    kinesis.begin(stream, Created(), now_ms)


@operation
def delete_stream(kinesis: Kinesis, stream: str | None, now_ms: int, *, enforce_consumer_deletion: bool = False) -> None:
    """Delete a stream and its records; with registered consumers only if told so."""
    found = kinesis.find(stream, now_ms)
    if found.state.consumers and not enforce_consumer_deletion:
        raise ResourceInUseException(
            f"Stream {found.state.name} under account {ACCOUNT} has active consumers; "
            "deregister them or set EnforceConsumerDeletion."
        )
    found.state.consumers.clear()
    kinesis.begin(found, Deleted(), now_ms)


@operation
def describe_stream(
    kinesis: Kinesis,
    stream: str | None,
    now_ms: int,
    *,
    limit: int | None = None,
    exclusive_start_shard_id: str | None = None,
) -> StreamShards:
    """A stream and up to ``limit`` (default and most: 100) of its shards."""
    check(
        constraints.between("limit", limit, 1, 10_000),
        exclusive_start_shard_id and name_violation("exclusiveStartShardId", exclusive_start_shard_id),
    )
    found = kinesis.find(stream, now_ms)
    kinesis.expire(found, now_ms)
    shards = sorted(found.graph.shards.values(), key=lambda shard: shard.index)
    if found.status == "CREATING":
        shards = []
    if exclusive_start_shard_id:
        shards = [shard for shard in shards if shard.shard_id > exclusive_start_shard_id]
    page = shards[: min(limit or PAGE, PAGE)]
    return StreamShards(found, page, len(page) < len(shards))


@operation
def describe_stream_summary(kinesis: Kinesis, stream: str | None, now_ms: int) -> Stream:
    return kinesis.find(stream, now_ms)


@operation
def list_streams(
    kinesis: Kinesis,
    now_ms: int,
    *,
    limit: int | None = None,
    exclusive_start_stream_name: str | None = None,
    next_token: str | None = None,
) -> StreamPage:
    """A page of up to ``limit`` (default and most: 100) streams."""
    check(constraints.between("limit", limit, 1, 10_000))
    after = exclusive_start_stream_name or ""
    if next_token is not None:
        after = open_listing_token(kinesis, "ListStreams", next_token, now_ms).after
    alive = kinesis.existing(now_ms)
    names = sorted((one for one in alive if one.state.name > after), key=lambda one: one.state.name)
    page = names[: min(limit or PAGE, PAGE)]
    more = None
    if len(page) < len(names):
        more = kinesis.seal.seal(ListingToken("ListStreams", "", page[-1].state.name, now_ms))
    return StreamPage(page, more)
