"""What is in a stream: by the simulator's oracle, and as the analytics application's own state counts it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from clickstream.aws import Clients
from clickstream.consumers.analytics.wiring import APPLICATION
from clickstream.consumers.runtime.loop.opening import opened
from clickstream.consumers.runtime.loop.wire import Record
from clickstream.consumers.runtime.state.shard_state import ShardState
from clickstream.load.simulation.fleet.lines import read
from clickstream.records.routing import Shard
from clickstream.settings import Settings
from tests.integration.publisher.stream import open_shards, records


def lines(settings: Settings) -> list[bytes]:
    """Everything in the stream's records, unpacked."""
    return [line.data for _, record in _raw(settings) for line in read(record["PartitionKey"], record["Data"]).lines]


def _raw(settings: Settings) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    kinesis = Clients(settings).kinesis
    for shard in open_shards(kinesis, settings.stream):
        for record in records(kinesis, settings.stream, shard["ShardId"]):
            yield shard, record


def user_records(settings: Settings) -> dict[str, list[Record]]:
    """Shard → its records in order, as KCL hands over what is no aggregate."""
    found: dict[str, list[Record]] = {}
    for shard, record in _raw(settings):
        arrived_ms = int(record["ApproximateArrivalTimestamp"].timestamp() * 1000)
        found.setdefault(shard["ShardId"], []).append(
            Record(record["Data"], record["PartitionKey"], record["SequenceNumber"], 0, arrived_ms)
        )
    return found


def event_ids(settings: Settings) -> set[str]:
    """The ids of the events in the stream."""
    return {json.loads(line)["event_id"] for line in lines(settings)}


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
