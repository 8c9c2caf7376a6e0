"""Operations on a stream's settings: retention, mode, throughput, record size, encryption."""

from __future__ import annotations

from clickstream.infra.local.kinesis.model.errors import InvalidArgumentException, ValidationException
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.streams import MODES, Setting, Stream
from clickstream.infra.local.kinesis.model.validation import arn_violation, check
from clickstream.infra.local.kinesis.operation import operation
from clickstream.infra.local.kinesis.operations.account import check_warm
from clickstream.infra.local.limits import constraints
from clickstream.infra.local.limits.kinesis import MAX_RECORD_KIB, MAX_RETENTION_HOURS, MIN_RECORD_KIB, MIN_RETENTION_HOURS

STRATEGIES = ("AUTO", "USER_PARTITION_KEY")


@operation
def increase_stream_retention_period(kinesis: Kinesis, stream: str | None, hours: int | None, now_ms: int) -> None:
    found = _retention(kinesis, stream, hours, now_ms)
    if hours is not None and hours < found.state.retention_hours:
        raise InvalidArgumentException(
            f"Requested retention period ({hours} hours) for stream {found.state.name} can not be shorter than existing "
            f"retention period ({found.state.retention_hours} hours). Use DecreaseRetentionPeriod API."
        )
    _set_retention(kinesis, found, hours)


@operation
def decrease_stream_retention_period(kinesis: Kinesis, stream: str | None, hours: int | None, now_ms: int) -> None:
    found = _retention(kinesis, stream, hours, now_ms)
    if hours is not None and hours > found.state.retention_hours:
        raise InvalidArgumentException(
            f"Requested retention period ({hours} hours) for stream {found.state.name} can not be longer than existing "
            f"retention period ({found.state.retention_hours} hours). Use IncreaseRetentionPeriod API."
        )
    _set_retention(kinesis, found, hours)


@operation
def update_stream_mode(
    kinesis: Kinesis, stream: str | None, mode: str | None, now_ms: int, *, warm_mibps: int | None = None
) -> None:
    check(
        arn_violation("streamARN", stream),
        constraints.required("streamModeDetails.streamMode", mode)
        or constraints.one_of("streamModeDetails.streamMode", mode, MODES),
    )
    assert mode is not None
    found = kinesis.idle(stream, now_ms)
    check_warm(kinesis, mode, warm_mibps)
    found.state.mode, found.state.warm_mibps = mode, warm_mibps
    kinesis.begin(found, Setting(), now_ms)


@operation
def update_stream_warm_throughput(kinesis: Kinesis, stream: str | None, mibps: int | None, now_ms: int) -> Stream:
    check(constraints.required("warmThroughputMiBps", mibps))
    found = kinesis.idle(stream, now_ms)
    check_warm(kinesis, found.state.mode, mibps)
    found.state.warm_mibps = mibps
    kinesis.begin(found, Setting(), now_ms)
    return found


@operation
def update_stream_record_distribution_strategy(kinesis: Kinesis, stream: str | None, strategy: str | None, now_ms: int) -> None:
    check(
        constraints.required("recordDistributionStrategy", strategy)
        or constraints.one_of("recordDistributionStrategy", strategy, STRATEGIES)
    )
    found = kinesis.idle(stream, now_ms)
    found.state.distribution = strategy
    kinesis.begin(found, Setting(), now_ms)


@operation
def update_max_record_size(kinesis: Kinesis, stream: str | None, kib: int | None, now_ms: int) -> None:
    """Records of 1,024 to 10,240 KiB."""
    check(
        constraints.required("maxRecordSizeInKiB", kib)
        or constraints.between("maxRecordSizeInKiB", kib, MIN_RECORD_KIB, MAX_RECORD_KIB)
    )
    assert kib is not None
    found = kinesis.idle(stream, now_ms)
    found.state.max_record_kib = kib
    kinesis.begin(found, Setting(), now_ms)


@operation
def start_stream_encryption(
    kinesis: Kinesis, stream: str | None, encryption_type: str | None, key_id: str | None, now_ms: int
) -> None:
    """Mark the stream as encrypted. Nothing is encrypted: data never leaves this machine."""
    _check_encryption(encryption_type, key_id)
    _set_encryption_key(kinesis, stream, key_id, now_ms)


@operation
def stop_stream_encryption(
    kinesis: Kinesis, stream: str | None, encryption_type: str | None, key_id: str | None, now_ms: int
) -> None:
    _check_encryption(encryption_type, key_id)
    _set_encryption_key(kinesis, stream, None, now_ms)


def _retention(kinesis: Kinesis, stream: str | None, hours: int | None, now_ms: int) -> Stream:
    check(constraints.required("retentionPeriodHours", hours) or constraints.between("retentionPeriodHours", hours, 1))
    found = kinesis.idle(stream, now_ms)
    if hours is not None and not MIN_RETENTION_HOURS <= hours <= MAX_RETENTION_HOURS:
        bound = "Minimum" if hours < MIN_RETENTION_HOURS else "Maximum"
        allowed = MIN_RETENTION_HOURS if hours < MIN_RETENTION_HOURS else MAX_RETENTION_HOURS
        raise InvalidArgumentException(
            f"{bound} allowed retention period is {allowed} hours. Requested retention period ({hours} hours) is "
            f"{'too short' if hours < MIN_RETENTION_HOURS else 'too long'}."
        )
    return found


def _set_retention(kinesis: Kinesis, stream: Stream, hours: int | None) -> None:
    assert hours is not None
    stream.state.retention_hours = hours
    kinesis.journal.changed(stream)


def _set_encryption_key(kinesis: Kinesis, stream: str | None, key: str | None, now_ms: int) -> None:
    found = kinesis.idle(stream, now_ms)
    found.state.encryption_key = key
    kinesis.begin(found, Setting(), now_ms)


def _check_encryption(encryption_type: str | None, key_id: str | None) -> None:
    check(
        constraints.required("encryptionType", encryption_type)
        or constraints.one_of("encryptionType", encryption_type, ("NONE", "KMS")),
        constraints.required("keyId", key_id) or constraints.length("keyId", key_id, 1, 2048),
    )
    if encryption_type != "KMS":
        raise ValidationException("EncryptionType must be KMS.")
