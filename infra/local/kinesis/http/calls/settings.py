"""Calls about the settings of streams and of the account."""

from __future__ import annotations

from clickstream.infra.local.kinesis.http import shapes
from clickstream.infra.local.kinesis.http.parameters import Parameters
from clickstream.infra.local.kinesis.http.shapes import Answer
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.operations import account, monitoring, settings


def describe_limits(kinesis: Kinesis, _: Parameters, now_ms: int) -> Answer:
    limits = account.describe_limits(kinesis, now_ms)
    return {
        "ShardLimit": limits.shard_limit,
        "OpenShardCount": limits.open_shard_count,
        "OnDemandStreamCount": limits.on_demand_stream_count,
        "OnDemandStreamCountLimit": limits.on_demand_stream_count_limit,
    }


def describe_account_settings(kinesis: Kinesis, _: Parameters, __: int) -> Answer:
    return shapes.account_settings(kinesis)


def update_account_settings(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    commitment = p.structure("MinimumThroughputBillingCommitment")
    account.update_account_settings(kinesis, commitment.text("Status") if commitment else None, now_ms)
    return shapes.account_settings(kinesis)


def increase_stream_retention_period(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    settings.increase_stream_retention_period(kinesis, p.stream(), p.integer("RetentionPeriodHours"), now_ms)


def decrease_stream_retention_period(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    settings.decrease_stream_retention_period(kinesis, p.stream(), p.integer("RetentionPeriodHours"), now_ms)


def update_stream_mode(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    mode = p.structure("StreamModeDetails")
    settings.update_stream_mode(
        kinesis,
        p.text("StreamARN"),
        mode.text("StreamMode") if mode else None,
        now_ms,
        warm_mibps=p.integer("WarmThroughputMiBps"),
    )


def update_stream_warm_throughput(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    stream = settings.update_stream_warm_throughput(kinesis, p.stream(), p.integer("WarmThroughputMiBps"), now_ms)
    return {"StreamName": stream.state.name, "StreamARN": stream.state.arn, **shapes.warm_throughput(stream)}


def update_stream_record_distribution_strategy(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    settings.update_stream_record_distribution_strategy(kinesis, p.stream(), p.text("RecordDistributionStrategy"), now_ms)


def update_max_record_size(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    settings.update_max_record_size(kinesis, p.stream(), p.integer("MaxRecordSizeInKiB"), now_ms)


def start_stream_encryption(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    settings.start_stream_encryption(kinesis, p.stream(), p.text("EncryptionType"), p.text("KeyId"), now_ms)


def stop_stream_encryption(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    settings.stop_stream_encryption(kinesis, p.stream(), p.text("EncryptionType"), p.text("KeyId"), now_ms)


def enable_enhanced_monitoring(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    return shapes.metrics(monitoring.enable_enhanced_monitoring(kinesis, p.stream(), p.texts("ShardLevelMetrics"), now_ms))


def disable_enhanced_monitoring(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    return shapes.metrics(monitoring.disable_enhanced_monitoring(kinesis, p.stream(), p.texts("ShardLevelMetrics"), now_ms))
