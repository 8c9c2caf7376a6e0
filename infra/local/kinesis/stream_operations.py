"""Operations on streams: their life, settings, tags and policies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import msgspec

from infra.local.kinesis import validation
from infra.local.kinesis.errors import (
    InvalidArgumentException,
    LimitExceededException,
    ResourceInUseException,
    ResourceNotFoundException,
    ValidationException,
)
from infra.local.kinesis.limits import (
    MAX_RECORD_KIB,
    MAX_RETENTION_HOURS,
    MAX_TAGS,
    MIN_RECORD_KIB,
    MIN_RETENTION_HOURS,
    ON_DEMAND_SHARDS,
)
from infra.local.kinesis.registry import ACCOUNT_ID, operation
from infra.local.kinesis.reshard_operations import ReshardOperations
from infra.local.kinesis.shards import Shard, ShardGraph
from infra.local.kinesis.streams import ON_DEMAND, PROVISIONED, Created, Deleted, Setting, Stream, StreamState
from infra.local.kinesis.tokens import ListingToken

MODES = (PROVISIONED, ON_DEMAND)
METRICS = (
    "IncomingBytes",
    "IncomingRecords",
    "OutgoingBytes",
    "OutgoingRecords",
    "WriteProvisionedThroughputExceeded",
    "ReadProvisionedThroughputExceeded",
    "IteratorAgeMilliseconds",
)


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


class MetricsChange(msgspec.Struct, frozen=True):
    """Shard-level metrics before and after."""

    stream: Stream
    current: list[str]
    desired: list[str]


class StreamOperations(ReshardOperations):
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
    ) -> None:
        """Create a stream: of ``shard_count`` shards, or on demand (four)."""
        validation.check(
            validation.name("streamName", name),
            validation.between("shardCount", shard_count, 1),
            validation.one_of("streamModeDetails.streamMode", mode, MODES),
            validation.between("maxRecordSizeInKiB", max_record_kib, MIN_RECORD_KIB, MAX_RECORD_KIB),
        )
        assert name is not None
        mode = mode or PROVISIONED
        if mode == ON_DEMAND and shard_count is not None:
            raise ValidationException("ShardCount must not be given for an ON_DEMAND stream.")
        if mode == PROVISIONED:
            validation.check(validation.required("shardCount", shard_count))
        if name in self.streams and self._settle(self.streams[name], now_ms):
            raise ResourceInUseException(f"Stream {name} under account {ACCOUNT_ID} already exists.")
        if mode == PROVISIONED:
            self.check_shard_quota(shard_count or 0, now_ms)
        state = StreamState(
            name=name,
            arn=self.stream_arn(name),
            created_ms=now_ms,
            mode=mode,
            max_record_kib=max_record_kib or self.settings.max_record_kib,
        )
        stream = Stream(state)
        stream.graph = ShardGraph.uniform(shard_count or ON_DEMAND_SHARDS, now_ms)
        stream.open_logs()
        if tags:
            self._tag(state.tags, tags)
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
        """A stream and up to ``limit`` (default 100) of its shards."""
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
        page = shards[: limit or 100]
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
        """A page of up to ``limit`` (default 100) streams."""
        validation.check(validation.between("limit", limit, 1, 10_000))
        after = exclusive_start_stream_name or ""
        if next_token is not None:
            after = self.open_listing_token(next_token, now_ms).after
        alive = [one for one in list(self.streams.values()) if self._settle(one, now_ms)]
        names = sorted((one for one in alive if one.state.name > after), key=lambda one: one.state.name)
        page = names[: limit or 100]
        more = None
        if len(page) < len(names):
            more = self.seal.seal(ListingToken("", page[-1].state.name, now_ms))
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

    @operation("IncreaseStreamRetentionPeriod")
    def increase_retention(self, stream: str | None, hours: int | None, now_ms: int) -> None:
        found = self._retention(stream, hours, now_ms)
        if hours is not None and hours < found.state.retention_hours:
            raise InvalidArgumentException(
                f"Requested retention period ({hours} hours) for stream {found.state.name} can not be shorter than existing "
                f"retention period ({found.state.retention_hours} hours). Use DecreaseRetentionPeriod API."
            )
        self._set_retention(found, hours)

    @operation("DecreaseStreamRetentionPeriod")
    def decrease_retention(self, stream: str | None, hours: int | None, now_ms: int) -> None:
        found = self._retention(stream, hours, now_ms)
        if hours is not None and hours > found.state.retention_hours:
            raise InvalidArgumentException(
                f"Requested retention period ({hours} hours) for stream {found.state.name} can not be longer than existing "
                f"retention period ({found.state.retention_hours} hours). Use IncreaseRetentionPeriod API."
            )
        self._set_retention(found, hours)

    @operation("UpdateStreamMode")
    def update_stream_mode(self, stream: str | None, mode: str | None, now_ms: int) -> None:
        validation.check(
            validation.required("streamModeDetails.streamMode", mode)
            or validation.one_of("streamModeDetails.streamMode", mode, MODES)
        )
        assert mode is not None
        found = self.idle(stream, now_ms)
        found.state.mode = mode
        self.begin(found, Setting(), now_ms)

    @operation("UpdateMaxRecordSize")
    def update_max_record_size(self, stream: str | None, kib: int | None, now_ms: int) -> None:
        """Records of 1,024 to 10,240 KiB."""
        validation.check(
            validation.required("maxRecordSizeInKiB", kib)
            or validation.between("maxRecordSizeInKiB", kib, MIN_RECORD_KIB, MAX_RECORD_KIB)
        )
        assert kib is not None
        found = self.idle(stream, now_ms)
        found.state.max_record_kib = kib
        self.begin(found, Setting(), now_ms)

    @operation("StartStreamEncryption")
    def start_encryption(self, stream: str | None, encryption_type: str | None, key_id: str | None, now_ms: int) -> None:
        """Mark the stream as encrypted. Nothing is encrypted: data never leaves this machine."""
        self._check_encryption(encryption_type, key_id)
        found = self.idle(stream, now_ms)
        found.state.encryption_key = key_id
        self.begin(found, Setting(), now_ms)

    @operation("StopStreamEncryption")
    def stop_encryption(self, stream: str | None, encryption_type: str | None, key_id: str | None, now_ms: int) -> None:
        self._check_encryption(encryption_type, key_id)
        found = self.idle(stream, now_ms)
        found.state.encryption_key = None
        self.begin(found, Setting(), now_ms)

    @operation("EnableEnhancedMonitoring")
    def enable_monitoring(self, stream: str | None, metrics: Sequence[str] | None, now_ms: int) -> MetricsChange:
        chosen = _metrics(metrics)
        found = self.idle(stream, now_ms)
        before = list(found.state.metrics)
        found.state.metrics = [one for one in METRICS if one in before or one in chosen]
        self.journal.changed(found)
        return MetricsChange(found, before, list(found.state.metrics))

    @operation("DisableEnhancedMonitoring")
    def disable_monitoring(self, stream: str | None, metrics: Sequence[str] | None, now_ms: int) -> MetricsChange:
        chosen = _metrics(metrics)
        found = self.idle(stream, now_ms)
        before = list(found.state.metrics)
        found.state.metrics = [one for one in before if one not in chosen]
        self.journal.changed(found)
        return MetricsChange(found, before, list(found.state.metrics))

    @operation("AddTagsToStream")
    def add_tags(self, resource: str | None, tags: Mapping[str, str] | None, now_ms: int) -> None:
        """Tag a stream (name or ARN) or a consumer (ARN)."""
        validation.check(validation.required("tags", tags) or validation.length("tags", tags, 1, 200))
        found, stored = self._tagged(resource, now_ms)
        self._tag(stored, tags or {})
        self.journal.changed(found)

    @operation("RemoveTagsFromStream")
    def remove_tags(self, resource: str | None, keys: Sequence[str] | None, now_ms: int) -> None:
        validation.check(validation.required("tagKeys", keys) or validation.length("tagKeys", keys, 1, 50))
        found, stored = self._tagged(resource, now_ms)
        for key in keys or ():
            stored.pop(key, None)
        self.journal.changed(found)

    @operation("ListTagsForStream")
    def list_tags(self, resource: str | None, now_ms: int) -> dict[str, str]:
        """All tags, by key."""
        _, stored = self._tagged(resource, now_ms)
        return dict(sorted(stored.items()))

    @operation("PutResourcePolicy")
    def put_policy(self, resource_arn: str | None, policy: str | None, now_ms: int) -> None:
        validation.check(validation.required("resourceARN", resource_arn), validation.required("policy", policy))
        try:
            json.loads(policy or "")
        except ValueError:
            raise InvalidArgumentException("Policy is not a JSON document.") from None
        found = self._policy_owner(resource_arn, now_ms)
        found.state.policies[resource_arn or ""] = policy or ""
        self.journal.changed(found)

    @operation("GetResourcePolicy")
    def get_policy(self, resource_arn: str | None, now_ms: int) -> str:
        found = self._policy_owner(resource_arn, now_ms)
        if resource_arn not in found.state.policies:
            raise ResourceNotFoundException(f"No resource policy found for resource ARN {resource_arn}")
        return found.state.policies[resource_arn]

    @operation("DeleteResourcePolicy")
    def delete_policy(self, resource_arn: str | None, now_ms: int) -> None:
        found = self._policy_owner(resource_arn, now_ms)
        found.state.policies.pop(resource_arn or "", None)
        self.journal.changed(found)

    def _policy_owner(self, resource_arn: str | None, now_ms: int) -> Stream:
        validation.check(validation.required("resourceARN", resource_arn))
        return self._tagged(resource_arn, now_ms)[0]

    def _tagged(self, resource: str | None, now_ms: int) -> tuple[Stream, dict[str, str]]:
        stream, separator, _ = (resource or "").partition("/consumer/")
        found = self.find(stream or resource, now_ms)
        if not separator:
            return found, found.state.tags
        assert resource is not None
        if all(consumer.arn != resource for consumer in found.state.consumers.values()):
            raise ResourceNotFoundException(f"Consumer {resource} under account {ACCOUNT_ID} not found.")
        return found, found.state.consumer_tags.setdefault(resource, {})

    def _tag(self, stored: dict[str, str], tags: Mapping[str, str]) -> None:
        for key, value in tags.items():
            validation.check(validation.length("tags.key", key, 1, 128), validation.length("tags.value", value, 0, 256))
        if len(stored.keys() | tags.keys()) > MAX_TAGS:
            raise LimitExceededException(f"Failed to add tags: a stream cannot have more than {MAX_TAGS} tags.")
        stored.update(tags)

    def _retention(self, stream: str | None, hours: int | None, now_ms: int) -> Stream:
        validation.check(
            validation.required("retentionPeriodHours", hours) or validation.between("retentionPeriodHours", hours, 1)
        )
        found = self.idle(stream, now_ms)
        if hours is not None and not MIN_RETENTION_HOURS <= hours <= MAX_RETENTION_HOURS:
            bound = "Minimum" if hours < MIN_RETENTION_HOURS else "Maximum"
            allowed = MIN_RETENTION_HOURS if hours < MIN_RETENTION_HOURS else MAX_RETENTION_HOURS
            raise InvalidArgumentException(
                f"{bound} allowed retention period is {allowed} hours. Requested retention period ({hours} hours) is "
                f"{'too short' if hours < MIN_RETENTION_HOURS else 'too long'}."
            )
        return found

    def _set_retention(self, stream: Stream, hours: int | None) -> None:
        assert hours is not None
        stream.state.retention_hours = hours
        self.journal.changed(stream)

    def _check_encryption(self, encryption_type: str | None, key_id: str | None) -> None:
        validation.check(
            validation.required("encryptionType", encryption_type)
            or validation.one_of("encryptionType", encryption_type, ("NONE", "KMS")),
            validation.required("keyId", key_id) or validation.length("keyId", key_id, 1, 2048),
        )
        if encryption_type != "KMS":
            raise ValidationException("EncryptionType must be KMS.")


def _metrics(metrics: Sequence[str] | None) -> set[str]:
    validation.check(
        validation.required("shardLevelMetrics", metrics) or validation.length("shardLevelMetrics", metrics, 1, 7),
        *(validation.one_of("shardLevelMetrics.member", one, (*METRICS, "ALL")) for one in metrics or ()),
    )
    return set(METRICS) if "ALL" in (metrics or ()) else set(metrics or ())
