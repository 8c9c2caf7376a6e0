"""Operations on a stream's settings: retention, mode, record size, encryption, monitoring."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from infra.local.kinesis import validation
from infra.local.kinesis.errors import InvalidArgumentException, ValidationException
from infra.local.kinesis.limits import MAX_RECORD_KIB, MAX_RETENTION_HOURS, MIN_RECORD_KIB, MIN_RETENTION_HOURS
from infra.local.kinesis.registry import Registry, operation
from infra.local.kinesis.streams import MODES, ON_DEMAND, Setting, Stream

METRICS = (
    "IncomingBytes",
    "IncomingRecords",
    "OutgoingBytes",
    "OutgoingRecords",
    "WriteProvisionedThroughputExceeded",
    "ReadProvisionedThroughputExceeded",
    "IteratorAgeMilliseconds",
)


class MetricsChange(msgspec.Struct, frozen=True):
    """Shard-level metrics before and after."""

    stream: Stream
    current: list[str]
    desired: list[str]


STRATEGIES = ("AUTO", "USER_PARTITION_KEY")


class SettingOperations(Registry):
    """Changing an ACTIVE stream's settings, and the account's."""

    committed_ms: int | None = None
    """Since when the account is committed to a minimum throughput; on-demand streams may be warm then. Not durable."""

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
    def update_stream_mode(self, stream: str | None, mode: str | None, now_ms: int, *, warm_mibps: int | None = None) -> None:
        validation.check(
            validation.arn("streamARN", stream),
            validation.required("streamModeDetails.streamMode", mode)
            or validation.one_of("streamModeDetails.streamMode", mode, MODES),
        )
        assert mode is not None
        found = self.idle(stream, now_ms)
        self.check_warm(mode, warm_mibps)
        found.state.mode, found.state.warm_mibps = mode, warm_mibps
        self.begin(found, Setting(), now_ms)

    @operation("UpdateStreamWarmThroughput")
    def update_warm_throughput(self, stream: str | None, mibps: int | None, now_ms: int) -> Stream:
        validation.check(validation.required("warmThroughputMiBps", mibps))
        found = self.idle(stream, now_ms)
        self.check_warm(found.state.mode, mibps)
        found.state.warm_mibps = mibps
        self.begin(found, Setting(), now_ms)
        return found

    def check_warm(self, mode: str, mibps: int | None) -> None:
        """Refuse a warm throughput where it may not be."""
        validation.check(validation.between("warmThroughputMiBps", mibps, 0))
        if mibps and mode != ON_DEMAND:
            raise ValidationException("WarmThroughputMiBps is only for ON_DEMAND streams.")
        if mibps and self.committed_ms is None:
            raise ValidationException("WarmThroughputMiBps needs MinimumThroughputBillingCommitment to be ENABLED.")

    @operation("UpdateStreamRecordDistributionStrategy")
    def update_distribution(self, stream: str | None, strategy: str | None, now_ms: int) -> None:
        validation.check(
            validation.required("recordDistributionStrategy", strategy)
            or validation.one_of("recordDistributionStrategy", strategy, STRATEGIES)
        )
        found = self.idle(stream, now_ms)
        found.state.distribution = strategy
        self.begin(found, Setting(), now_ms)

    @operation("UpdateAccountSettings")
    def commit_to_throughput(self, status: str | None, now_ms: int) -> None:
        validation.check(
            validation.required("minimumThroughputBillingCommitment.status", status)
            or validation.one_of("minimumThroughputBillingCommitment.status", status, ("ENABLED", "DISABLED"))
        )
        self.committed_ms = (self.committed_ms or now_ms) if status == "ENABLED" else None

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
