"""The operations of the API by name. PutRecord, PutRecords and SubscribeToShard are not here: api.py dispatches them."""

from __future__ import annotations

from collections.abc import Callable

from clickstream.infra.local.kinesis.http.calls import readers, resources, settings, streams
from clickstream.infra.local.kinesis.http.parameters import Parameters
from clickstream.infra.local.kinesis.http.shapes import Answer
from clickstream.infra.local.kinesis.model.kinesis import Kinesis

Operation = Callable[[Kinesis, Parameters, int], Answer | None]

OPERATIONS: dict[str, Operation] = {
    "CreateStream": streams.create_stream,
    "DeleteStream": streams.delete_stream,
    "DescribeStream": streams.describe_stream,
    "DescribeStreamSummary": streams.describe_stream_summary,
    "ListStreams": streams.list_streams,
    "SplitShard": streams.split_shard,
    "MergeShards": streams.merge_shards,
    "UpdateShardCount": streams.update_shard_count,
    "ListShards": streams.list_shards,
    "DescribeLimits": settings.describe_limits,
    "DescribeAccountSettings": settings.describe_account_settings,
    "UpdateAccountSettings": settings.update_account_settings,
    "IncreaseStreamRetentionPeriod": settings.increase_stream_retention_period,
    "DecreaseStreamRetentionPeriod": settings.decrease_stream_retention_period,
    "UpdateStreamMode": settings.update_stream_mode,
    "UpdateStreamWarmThroughput": settings.update_stream_warm_throughput,
    "UpdateStreamRecordDistributionStrategy": settings.update_stream_record_distribution_strategy,
    "UpdateMaxRecordSize": settings.update_max_record_size,
    "StartStreamEncryption": settings.start_stream_encryption,
    "StopStreamEncryption": settings.stop_stream_encryption,
    "EnableEnhancedMonitoring": settings.enable_enhanced_monitoring,
    "DisableEnhancedMonitoring": settings.disable_enhanced_monitoring,
    "AddTagsToStream": resources.add_tags_to_stream,
    "RemoveTagsFromStream": resources.remove_tags_from_stream,
    "ListTagsForStream": resources.list_tags_for_stream,
    "TagResource": resources.tag_resource,
    "UntagResource": resources.untag_resource,
    "ListTagsForResource": resources.list_tags_for_resource,
    "PutResourcePolicy": resources.put_resource_policy,
    "GetResourcePolicy": resources.get_resource_policy,
    "DeleteResourcePolicy": resources.delete_resource_policy,
    "GetShardIterator": readers.get_shard_iterator,
    "GetRecords": readers.get_records,
    "RegisterStreamConsumer": readers.register_stream_consumer,
    "DeregisterStreamConsumer": readers.deregister_stream_consumer,
    "DescribeStreamConsumer": readers.describe_stream_consumer,
    "ListStreamConsumers": readers.list_stream_consumers,
}
