"""Calls that read: shard iterators, GetRecords, registered consumers."""

from __future__ import annotations

from clickstream.infra.local.kinesis.http import shapes
from clickstream.infra.local.kinesis.http.parameters import Parameters
from clickstream.infra.local.kinesis.http.shapes import Answer, next_token
from clickstream.infra.local.kinesis.model.kinesis import Kinesis
from clickstream.infra.local.kinesis.model.records import StartingPosition
from clickstream.infra.local.kinesis.operations import consumers, reading


def get_shard_iterator(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    position = StartingPosition(p.text("ShardIteratorType") or "", p.text("StartingSequenceNumber"), p.time_ms("Timestamp"))
    iterator = reading.get_shard_iterator(kinesis, p.stream(), p.text("ShardId"), position, now_ms, dry_run=p.flag("DryRun"))
    return {"ShardIterator": iterator}


def get_records(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    result = reading.get_records(
        kinesis, p.text("ShardIterator"), now_ms, limit=p.integer("Limit"), stream=p.text("StreamARN"), dry_run=p.flag("DryRun")
    )
    return shapes.get_records(result)


def register_stream_consumer(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    registered = consumers.register_stream_consumer(
        kinesis, p.text("StreamARN"), p.text("ConsumerName"), now_ms, tags=p.mapping("Tags")
    )
    return {"Consumer": {**shapes.consumer(registered, now_ms), "ConsumerStatus": "CREATING"}}


def deregister_stream_consumer(kinesis: Kinesis, p: Parameters, now_ms: int) -> None:
    consumers.deregister_stream_consumer(
        kinesis, now_ms, stream_arn=p.text("StreamARN"), name=p.text("ConsumerName"), consumer_arn=p.text("ConsumerARN")
    )


def describe_stream_consumer(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    stream, found = consumers.describe_stream_consumer(
        kinesis, now_ms, stream_arn=p.text("StreamARN"), name=p.text("ConsumerName"), consumer_arn=p.text("ConsumerARN")
    )
    return {"ConsumerDescription": {**shapes.consumer(found, now_ms), "StreamARN": stream.state.arn}}


def list_stream_consumers(kinesis: Kinesis, p: Parameters, now_ms: int) -> Answer:
    page = consumers.list_stream_consumers(
        kinesis,
        p.text("StreamARN"),
        now_ms,
        max_results=p.integer("MaxResults"),
        next_token=p.text("NextToken"),
        stream_creation_ms=p.time_ms("StreamCreationTimestamp"),
    )
    return {"Consumers": [shapes.consumer(one, now_ms) for one in page.consumers], **next_token(page.next_token)}
