"""Calls about streams and their shards."""

from __future__ import annotations

from clickstream.infra.local.kinesis.http import shapes
from clickstream.infra.local.kinesis.http.parameters import Parameters
from clickstream.infra.local.kinesis.http.shapes import Answer, next_token
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.operations import resharding, shard_listing, streams
from clickstream.infra.local.kinesis.operations.shard_listing import ShardFilter


def create_stream(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    mode = p.structure("StreamModeDetails")
    streams.create_stream(
        kinesis,
        p.text("StreamName"),
        now_ms,
        shard_count=p.integer("ShardCount"),
        mode=mode.text("StreamMode") if mode else None,
        tags=p.mapping("Tags"),
        max_record_kib=p.integer("MaxRecordSizeInKiB"),
        warm_mibps=p.integer("WarmThroughputMiBps"),
        distribution=p.text("RecordDistributionStrategy"),
    )


def delete_stream(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    streams.delete_stream(kinesis, p.stream(), now_ms, enforce_consumer_deletion=p.flag("EnforceConsumerDeletion"))


def describe_stream(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    described = streams.describe_stream(
        kinesis, p.stream(), now_ms, limit=p.integer("Limit"), exclusive_start_shard_id=p.text("ExclusiveStartShardId")
    )
    return {"StreamDescription": shapes.description(described)}


def describe_stream_summary(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    return {"StreamDescriptionSummary": shapes.summary(streams.describe_stream_summary(kinesis, p.stream(), now_ms))}


def list_streams(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    page = streams.list_streams(
        kinesis,
        now_ms,
        limit=p.integer("Limit"),
        exclusive_start_stream_name=p.text("ExclusiveStartStreamName"),
        next_token=p.text("NextToken"),
    )
    return {
        "StreamNames": [stream.state.name for stream in page.streams],
        "StreamSummaries": [shapes.list_entry(stream) for stream in page.streams],
        "HasMoreStreams": page.next_token is not None,
        **next_token(page.next_token),
    }


def split_shard(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    resharding.split_shard(kinesis, p.stream(), p.text("ShardToSplit"), p.text("NewStartingHashKey"), now_ms)


def merge_shards(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    resharding.merge_shards(kinesis, p.stream(), p.text("ShardToMerge"), p.text("AdjacentShardToMerge"), now_ms)


def update_shard_count(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    change = resharding.update_shard_count(
        kinesis, p.stream(), p.integer("TargetShardCount"), now_ms, scaling_type=p.text("ScalingType")
    )
    return {
        "StreamName": change.stream,
        "StreamARN": change.arn,
        "CurrentShardCount": change.current,
        "TargetShardCount": change.target,
    }


def list_shards(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    chosen = p.structure("ShardFilter")
    shard_filter = None
    if chosen is not None:
        shard_filter = ShardFilter(chosen.text("Type") or "", chosen.text("ShardId"), chosen.time_ms("Timestamp"))
    page = shard_listing.list_shards(
        kinesis,
        p.stream(),
        now_ms,
        next_token=p.text("NextToken"),
        exclusive_start_shard_id=p.text("ExclusiveStartShardId"),
        max_results=p.integer("MaxResults"),
        shard_filter=shard_filter,
        stream_creation_ms=p.time_ms("StreamCreationTimestamp"),
    )
    return {"Shards": [shapes.shard(one) for one in page.shards], **next_token(page.next_token)}
