"""What is in a stream: by aws-kinesis-agg, and as the analytics application's own state counts it."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from typing import Any

from clickstream.aws import Clients
from clickstream.records.routing import Shard
from clickstream.settings import Settings
from consumers.analytics.wiring import APPLICATION
from consumers.runtime.loop.opening import opened
from consumers.runtime.loop.wire import Record
from consumers.runtime.state.shard_state import ShardState
from tests.integration.publisher.stream import open_shards, records


def raw(settings: Settings) -> list[bytes]:
    """The data of every Kinesis record, as it lies there."""
    return [record["Data"] for _, record in _raw(settings)]


def _raw(settings: Settings) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    kinesis = Clients(settings).kinesis
    for shard in open_shards(kinesis, settings.stream):
        for record in records(kinesis, settings.stream, shard["ShardId"]):
            yield shard, record


def user_records(settings: Settings) -> dict[str, list[Record]]:
    """Shard → user records in order, as KCL would hand them over."""
    path = sys.path[:]
    from aws_kinesis_agg.deaggregator import iter_deaggregate_records  # it puts its own folder on the path

    sys.path[:] = path
    found: dict[str, list[Record]] = {}
    for shard, record in _raw(settings):
        for each in iter_deaggregate_records([record], data_format="Boto3"):
            user = each["kinesis"]
            found.setdefault(shard["ShardId"], []).append(
                Record(
                    base64.b64decode(user["data"]) if "subSequenceNumber" in user else user["data"],
                    user["partitionKey"],
                    record["SequenceNumber"],
                    user.get("subSequenceNumber", 0),
                    int(record["ApproximateArrivalTimestamp"].timestamp() * 1000),
                )
            )
    return found


def event_ids(settings: Settings) -> set[str]:
    """The ids of the events in the stream."""
    return {json.loads(record.data)["event_id"] for users in user_records(settings).values() for record in users}


def counted(settings: Settings) -> tuple[int, int]:
    """(events that take effect, duplicates dropped) when the analytics application reads the stream."""
    shards = {each["ShardId"]: Shard.from_api(each) for each in open_shards(Clients(settings).kinesis, settings.stream)}
    events = duplicates = 0
    for shard_id, users in user_records(settings).items():
        state = ShardState(APPLICATION.name, APPLICATION.open_fold(shard_id), shards[shard_id].hash_range)
        applied = state.apply(list(opened(users)))
        assert not applied.rejections
        events += state.progress.events
        duplicates += state.progress.duplicates
    return events, duplicates
