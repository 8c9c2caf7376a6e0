"""A worker that dies slowly is seen: its shards count its ends until they move."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec
import pytest
from moto import mock_aws

from clickstream.aws import Clients
from clickstream.consumers.analytics.views import Aggregates
from clickstream.consumers.runtime.state.snapshots import Commit, Progress, SnapshotStore
from clickstream.consumers.runtime.worker import daemon, leases
from clickstream.infra.local import resources
from clickstream.progress.completeness import Arrival
from clickstream.records.kinesis import list_shards
from clickstream.records.position import Position
from clickstream.settings import Settings

SETTINGS = Settings()
FIRST, SECOND = "shardId-000000000000", "shardId-000000000001"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        clients = Clients(SETTINGS)
        resources.create(clients, SETTINGS, shards=2)
        leases.prepare("clickstream-fraud", "w1", list_shards(clients.kinesis, SETTINGS.stream), clients)
        yield clients


def counted(aws: Clients) -> dict[str, int]:
    return {row.shard: row.deaths for row in Aggregates(aws, SETTINGS).progress()}


def died(aws: Clients, worker: str = "w1", settings: Settings = SETTINGS, lived_s: float = 40.0) -> int:
    return daemon.count_death("fraud", worker, aws, settings, lived_s)


def commit(position: int) -> Commit:
    return Commit(position=Position(position), state=b"", full=True, progress=Progress())


def test_ends_count_until_a_shard_commits(aws: Clients) -> None:
    stores = {shard: SnapshotStore("fraud", "w1", aws, SETTINGS) for shard in (FIRST, SECOND)}
    assert [died(aws) for _ in range(3)] == [1, 2, 3], "also before any process has taken the shard"
    taken = {shard: store.take(shard, 1) for shard, store in stores.items()}
    assert counted(aws) == {FIRST: 3, SECOND: 3}, "to be started is no sign of life"
    stores[FIRST].commit(taken[FIRST], commit(7), 2)
    assert counted(aws) == {FIRST: 0, SECOND: 3}
    assert died(aws) == 1, "the worker lives: one of its shards has moved"
    assert counted(aws) == {FIRST: 1, SECOND: 4}
    stores[SECOND].heartbeat(taken[SECOND], 0, Arrival(), 3)
    assert counted(aws) == {FIRST: 1, SECOND: 4}, "its process lives on before a JVM that has given up"


def test_on_a_quiet_shard_who_lived_long_is_forgiven(aws: Clients) -> None:
    assert [died(aws, lived_s=seconds) for seconds in (40, 40, daemon.STEADY_S, 40)] == [1, 2, 1, 2]


def test_a_shard_takes_its_count_along_and_others_are_not_touched(aws: Clients) -> None:
    assert died(aws, "w2") == 0
    assert counted(aws) == {}
    died(aws)
    aws.dynamodb.update_item(
        TableName="clickstream-fraud",
        Key={"leaseKey": {"S": FIRST}},
        UpdateExpression="SET leaseOwner = :other",
        ExpressionAttributeValues={":other": {"S": "w2"}},
    )
    assert died(aws, "w2") == 2
    assert counted(aws) == {FIRST: 2, SECOND: 1}


def test_a_shard_that_was_read_to_its_end_counts_no_more(aws: Clients) -> None:
    aws.dynamodb.update_item(
        TableName="clickstream-fraud",
        Key={"leaseKey": {"S": FIRST}},
        UpdateExpression="SET checkpoint = :end",
        ExpressionAttributeValues={":end": {"S": "SHARD_END"}},
    )
    assert died(aws) == 1
    assert counted(aws) == {SECOND: 1}


def test_cloudwatch_is_told_of_the_worst(aws: Clients, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        died(aws, settings=msgspec.structs.replace(SETTINGS, metrics="emf"))
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["application"], line["WorkerDeaths"]) for line in said] == [("fraud", 1), ("fraud", 2)]
    assert said[0]["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["application"]]
