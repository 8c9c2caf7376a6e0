"""Values of the model in the shapes of the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clickstream.infra.local.kinesis.http.wire import Timestamp
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.records import GetRecordsResult, ReadRecord
from clickstream.infra.local.kinesis.model.shards import Shard, key_number, shard_id
from clickstream.infra.local.kinesis.model.streams import Consumer, Stream
from clickstream.infra.local.kinesis.operations.monitoring import MetricsChange
from clickstream.infra.local.kinesis.operations.streams import StreamShards
from clickstream.infra.local.kinesis.operations.subscriptions import FanoutEvent

Answer = dict[str, Any]


def shard(one: Shard) -> Answer:
    """A shard as ListShards and DescribeStream show it."""
    numbers = {"StartingSequenceNumber": one.starting_sequence_number}
    if (ending := one.ending_sequence_number) is not None:
        numbers["EndingSequenceNumber"] = ending
    answer: Answer = {"ShardId": one.shard_id}
    for member, parent in zip(("ParentShardId", "AdjacentParentShardId"), one.parents, strict=False):
        answer[member] = shard_id(parent)
    return {**answer, "HashKeyRange": _hash_range(one), "SequenceNumberRange": numbers}


def child_shards(shards: Sequence[Shard]) -> list[Answer]:
    """Children as GetRecords and SubscribeToShard show them."""
    return [
        {
            "ShardId": one.shard_id,
            "ParentShards": [shard_id(parent) for parent in one.parents],
            "HashKeyRange": _hash_range(one),
        }
        for one in shards
    ]


_PLAIN: Answer = {}
_ENCRYPTED: Answer = {"EncryptionType": "KMS"}


def records(found: Sequence[ReadRecord]) -> list[Answer]:
    """Records as readers get them; EncryptionType is absent where a record was put unencrypted."""
    return [
        {
            "SequenceNumber": record.sequence_number,
            "ApproximateArrivalTimestamp": Timestamp(record.arrival_ms),
            "Data": record.data,
            "PartitionKey": record.partition_key,
            **(_ENCRYPTED if record.encrypted else _PLAIN),
        }
        for record in found
    ]


def get_records(result: GetRecordsResult) -> Answer:
    answer: Answer = {
        "Records": records(result.records),
        "MillisBehindLatest": result.millis_behind_latest,
    }
    if result.next_iterator is not None:
        answer["NextShardIterator"] = result.next_iterator
    else:
        answer["ChildShards"] = child_shards(result.child_shards)
    return answer


def fanout_event(event: FanoutEvent) -> Answer:
    """A SubscribeToShardEvent. At a shard's end ContinuationSequenceNumber is null, which is how KCL detects it."""
    answer: Answer = {
        "Records": records(event.records),
        "ContinuationSequenceNumber": event.continuation_sequence_number,
        "MillisBehindLatest": event.millis_behind_latest,
    }
    if event.continuation_sequence_number is None:
        answer["ChildShards"] = child_shards(event.child_shards)
    return answer


def description(described: StreamShards) -> Answer:
    """For DescribeStream."""
    return {
        **_common(described.stream),
        "Shards": [shard(one) for one in described.shards],
        "HasMoreShards": described.has_more_shards,
    }


def summary(stream: Stream) -> Answer:
    """For DescribeStreamSummary."""
    return {
        **_common(stream),
        "OpenShardCount": len(stream.graph.open_shards) if stream.status != "CREATING" else 0,
        "ConsumerCount": len(stream.state.consumers),
        "MaxRecordSizeInKiB": stream.state.max_record_kib,
        **warm_throughput(stream),
        **({} if (chosen := stream.state.distribution) is None else {"RecordDistributionStrategy": chosen}),
    }


def warm_throughput(stream: Stream) -> Answer:
    """Present only for an on-demand stream with a warm throughput."""
    mibps = stream.state.warm_mibps
    return {} if mibps is None else {"WarmThroughput": {"TargetMiBps": mibps, "CurrentMiBps": mibps}}


def list_entry(stream: Stream) -> Answer:
    """For ListStreams."""
    state = stream.state
    return {
        "StreamName": state.name,
        "StreamARN": state.arn,
        "StreamStatus": stream.status,
        "StreamModeDetails": {"StreamMode": state.mode},
        "StreamCreationTimestamp": Timestamp(state.created_ms),
    }


def consumer(one: Consumer, now_ms: int) -> Answer:
    return {
        "ConsumerName": one.name,
        "ConsumerARN": one.arn,
        "ConsumerStatus": one.status(now_ms),
        "ConsumerCreationTimestamp": Timestamp(one.created_ms),
    }


def account_settings(kinesis: Kinesis) -> Answer:
    status = "ENABLED" if kinesis.committed_ms is not None else "DISABLED"
    commitment: Answer = {"Status": status}
    if kinesis.committed_ms is not None:
        commitment["StartedAt"] = Timestamp(kinesis.committed_ms)
    return {"MinimumThroughputBillingCommitment": commitment}


def metrics(change: MetricsChange) -> Answer:
    return {
        "StreamName": change.stream.state.name,
        "StreamARN": change.stream.state.arn,
        "CurrentShardLevelMetrics": change.current,
        "DesiredShardLevelMetrics": change.desired,
    }


def _hash_range(one: Shard) -> Answer:
    return {"StartingHashKey": str(key_number(one.start)), "EndingHashKey": str(key_number(one.end))}


def _common(stream: Stream) -> Answer:
    state = stream.state
    answer: Answer = {
        **list_entry(stream),
        "RetentionPeriodHours": state.retention_hours,
        "EnhancedMonitoring": [{"ShardLevelMetrics": list(state.metrics)}],
        "EncryptionType": stream.encryption,
    }
    if state.encryption_key is not None:
        answer["KeyId"] = state.encryption_key
    return answer


def next_token(token: str | None) -> Answer:
    """NextToken, where the listing has more pages."""
    return {} if token is None else {"NextToken": token}
