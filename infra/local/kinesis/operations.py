"""One function per operation of the API: parameters in, the model called, the answer out."""

from __future__ import annotations

from collections.abc import Callable

from infra.local.kinesis import answers, validation
from infra.local.kinesis.answers import Answer
from infra.local.kinesis.errors import ValidationException
from infra.local.kinesis.model import Kinesis, ShardFilter, StartingPosition
from infra.local.kinesis.wire import Parameters

Operation = Callable[[Kinesis, Parameters, int], Answer | None]

OPERATIONS: dict[str, Operation] = {}


def _operation(function: Operation) -> Operation:
    name = "".join(word.capitalize() for word in function.__name__.split("_"))
    OPERATIONS[name] = function
    return function


@_operation
def create_stream(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    mode = p.structure("StreamModeDetails")
    kinesis.create_stream(
        p.text("StreamName"),
        now_ms,
        shard_count=p.integer("ShardCount"),
        mode=mode.text("StreamMode") if mode else None,
        tags=p.mapping("Tags"),
        max_record_kib=p.integer("MaxRecordSizeInKiB"),
        warm_mibps=p.integer("WarmThroughputMiBps"),
        distribution=p.text("RecordDistributionStrategy"),
    )


@_operation
def delete_stream(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    kinesis.delete_stream(p.stream(), now_ms, enforce_consumer_deletion=p.flag("EnforceConsumerDeletion"))


@_operation
def describe_stream(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    described = kinesis.describe_stream(
        p.stream(), now_ms, limit=p.integer("Limit"), exclusive_start_shard_id=p.text("ExclusiveStartShardId")
    )
    return {"StreamDescription": answers.description(described)}


@_operation
def describe_stream_summary(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    return {"StreamDescriptionSummary": answers.summary(kinesis.describe_stream_summary(p.stream(), now_ms))}


@_operation
def list_streams(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    page = kinesis.list_streams(
        now_ms,
        limit=p.integer("Limit"),
        exclusive_start_stream_name=p.text("ExclusiveStartStreamName"),
        next_token=p.text("NextToken"),
    )
    return {
        "StreamNames": [stream.state.name for stream in page.streams],
        "StreamSummaries": [answers.list_entry(stream) for stream in page.streams],
        "HasMoreStreams": page.next_token is not None,
        **_token(page.next_token),
    }


@_operation
def describe_limits(kinesis: Kinesis, _: Parameters, now_ms: int) -> Answer:
    limits = kinesis.describe_limits(now_ms)
    return {
        "ShardLimit": limits.shard_limit,
        "OpenShardCount": limits.open_shard_count,
        "OnDemandStreamCount": limits.on_demand_stream_count,
        "OnDemandStreamCountLimit": limits.on_demand_stream_count_limit,
    }


@_operation
def increase_stream_retention_period(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    kinesis.increase_retention(p.stream(), p.integer("RetentionPeriodHours"), now_ms)


@_operation
def decrease_stream_retention_period(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    kinesis.decrease_retention(p.stream(), p.integer("RetentionPeriodHours"), now_ms)


@_operation
def update_stream_mode(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    mode = p.structure("StreamModeDetails")
    kinesis.update_stream_mode(
        p.text("StreamARN"), mode.text("StreamMode") if mode else None, now_ms, warm_mibps=p.integer("WarmThroughputMiBps")
    )


@_operation
def update_stream_warm_throughput(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    stream = kinesis.update_warm_throughput(p.stream(), p.integer("WarmThroughputMiBps"), now_ms)
    return {"StreamName": stream.state.name, "StreamARN": stream.state.arn, **answers.warm_throughput(stream)}


@_operation
def update_stream_record_distribution_strategy(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    kinesis.update_distribution(p.stream(), p.text("RecordDistributionStrategy"), now_ms)


@_operation
def describe_account_settings(kinesis: Kinesis, _: Parameters, __: int) -> Answer:
    return answers.account_settings(kinesis)


@_operation
def update_account_settings(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    commitment = p.structure("MinimumThroughputBillingCommitment")
    kinesis.commit_to_throughput(commitment.text("Status") if commitment else None, now_ms)
    return answers.account_settings(kinesis)


@_operation
def update_max_record_size(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    kinesis.update_max_record_size(p.stream(), p.integer("MaxRecordSizeInKiB"), now_ms)


@_operation
def start_stream_encryption(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    kinesis.start_encryption(p.stream(), p.text("EncryptionType"), p.text("KeyId"), now_ms)


@_operation
def stop_stream_encryption(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    kinesis.stop_encryption(p.stream(), p.text("EncryptionType"), p.text("KeyId"), now_ms)


@_operation
def enable_enhanced_monitoring(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    return answers.metrics(kinesis.enable_monitoring(p.stream(), p.texts("ShardLevelMetrics"), now_ms))


@_operation
def disable_enhanced_monitoring(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    return answers.metrics(kinesis.disable_monitoring(p.stream(), p.texts("ShardLevelMetrics"), now_ms))


@_operation
def add_tags_to_stream(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    kinesis.add_tags(p.stream(), p.mapping("Tags"), now_ms)


@_operation
def remove_tags_from_stream(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    kinesis.remove_tags(p.stream(), p.texts("TagKeys"), now_ms)


@_operation
def list_tags_for_stream(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    limit = p.integer("Limit")
    if limit is not None and not 1 <= limit <= 50:
        raise ValidationException(
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: "
            f"Member must have value {'greater' if limit < 1 else 'less'} than or equal to {1 if limit < 1 else 50}"
        )
    after = p.text("ExclusiveStartTagKey") or ""
    tags = [(key, value) for key, value in kinesis.list_tags(p.stream(), now_ms).items() if key > after]
    page = tags[: limit or 50]
    return {
        "Tags": [{"Key": key, "Value": value} for key, value in page],
        "HasMoreTags": len(page) < len(tags),
    }


@_operation
def tag_resource(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    kinesis.add_tags(_resource(p), p.mapping("Tags"), now_ms)


@_operation
def untag_resource(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    kinesis.remove_tags(_resource(p), p.texts("TagKeys"), now_ms)


@_operation
def list_tags_for_resource(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    tags = kinesis.list_tags(_resource(p), now_ms)
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


@_operation
def put_resource_policy(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    kinesis.put_policy(p.text("ResourceARN"), p.text("Policy"), now_ms)


@_operation
def get_resource_policy(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    policy = kinesis.get_policy(p.text("ResourceARN"), now_ms)
    return {} if policy is None else {"Policy": policy}


@_operation
def delete_resource_policy(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    kinesis.delete_policy(p.text("ResourceARN"), now_ms)


@_operation
def split_shard(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    kinesis.split_shard(p.stream(), p.text("ShardToSplit"), p.text("NewStartingHashKey"), now_ms)


@_operation
def merge_shards(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    kinesis.merge_shards(p.stream(), p.text("ShardToMerge"), p.text("AdjacentShardToMerge"), now_ms)


@_operation
def update_shard_count(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    change = kinesis.update_shard_count(p.stream(), p.integer("TargetShardCount"), now_ms, scaling_type=p.text("ScalingType"))
    return {
        "StreamName": change.stream,
        "StreamARN": change.arn,
        "CurrentShardCount": change.current,
        "TargetShardCount": change.target,
    }


@_operation
def list_shards(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    chosen = p.structure("ShardFilter")
    shard_filter = None
    if chosen is not None:
        shard_filter = ShardFilter(chosen.text("Type") or "", chosen.text("ShardId"), chosen.time_ms("Timestamp"))
    page = kinesis.list_shards(
        p.stream(),
        now_ms,
        next_token=p.text("NextToken"),
        exclusive_start_shard_id=p.text("ExclusiveStartShardId"),
        max_results=p.integer("MaxResults"),
        shard_filter=shard_filter,
        stream_creation_ms=p.time_ms("StreamCreationTimestamp"),
    )
    return {"Shards": [answers.shard(one) for one in page.shards], **_token(page.next_token)}


@_operation
def get_shard_iterator(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    position = StartingPosition(p.text("ShardIteratorType") or "", p.text("StartingSequenceNumber"), p.time_ms("Timestamp"))
    iterator = kinesis.get_shard_iterator(p.stream(), p.text("ShardId"), position, now_ms, dry_run=p.flag("DryRun"))
    return {"ShardIterator": iterator}


@_operation
def get_records(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    result = kinesis.get_records(
        p.text("ShardIterator"), now_ms, limit=p.integer("Limit"), stream=p.text("StreamARN"), dry_run=p.flag("DryRun")
    )
    return answers.get_records(result)


@_operation
def register_stream_consumer(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    registered = kinesis.register_consumer(p.text("StreamARN"), p.text("ConsumerName"), now_ms, tags=p.mapping("Tags"))
    return {"Consumer": {**answers.consumer(registered, now_ms), "ConsumerStatus": "CREATING"}}


@_operation
def deregister_stream_consumer(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    kinesis.deregister_consumer(
        now_ms, stream_arn=p.text("StreamARN"), name=p.text("ConsumerName"), consumer_arn=p.text("ConsumerARN")
    )


@_operation
def describe_stream_consumer(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    stream, found = kinesis.describe_consumer(
        now_ms, stream_arn=p.text("StreamARN"), name=p.text("ConsumerName"), consumer_arn=p.text("ConsumerARN")
    )
    return {"ConsumerDescription": {**answers.consumer(found, now_ms), "StreamARN": stream.state.arn}}


@_operation
def list_stream_consumers(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    page = kinesis.list_consumers(
        p.text("StreamARN"),
        now_ms,
        max_results=p.integer("MaxResults"),
        next_token=p.text("NextToken"),
        stream_creation_ms=p.time_ms("StreamCreationTimestamp"),
    )
    return {"Consumers": [answers.consumer(one, now_ms) for one in page.consumers], **_token(page.next_token)}


def _resource(p: Parameters) -> str | None:
    arn = p.text("ResourceARN")
    validation.check(validation.arn("resourceARN", arn, validation.RESOURCE_ARN_PATTERN))
    return arn


def _token(token: str | None) -> Answer:
    return {} if token is None else {"NextToken": token}
