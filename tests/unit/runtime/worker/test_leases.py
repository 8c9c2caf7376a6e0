"""Tables and first leases of a KCL application, against DynamoDB's API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from clickstream.aws import Clients
from clickstream.consumers.needs import lease_tables
from clickstream.consumers.runtime.worker import leases
from clickstream.records.routing import MAX_HASH_KEY, HashRange, Shard
from clickstream.settings import Settings

APPLICATION = "shop-analytics"
HALF = MAX_HASH_KEY // 2
PARENT = Shard(shard_id="shardId-000000000000", hash_range=HashRange.of(0, MAX_HASH_KEY), is_open=False)
LEFT = Shard(shard_id="shardId-000000000001", hash_range=HashRange.of(0, HALF), parents=(PARENT.shard_id,))
RIGHT = Shard(shard_id="shardId-000000000002", hash_range=HashRange.of(HALF + 1, MAX_HASH_KEY), parents=(PARENT.shard_id,))


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        yield Clients(Settings())


def rows(clients: Clients, table: str, key: str) -> dict[str, dict[str, Any]]:
    return {item[key]["S"]: dict(item) for item in clients.dynamodb.scan(TableName=table)["Items"]}


def test_a_first_start_makes_three_tables_that_cost_nothing_at_rest(clients: Clients) -> None:
    leases.prepare(APPLICATION, "w1", [LEFT], clients)
    names = [APPLICATION, f"{APPLICATION}-CoordinatorState", f"{APPLICATION}-WorkerMetricStats"]
    assert sorted(clients.dynamodb.list_tables()["TableNames"]) == sorted(names)
    for name in names:
        table = clients.dynamodb.describe_table(TableName=name)["Table"]
        assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    index = clients.dynamodb.describe_table(TableName=APPLICATION)["Table"]["GlobalSecondaryIndexes"][0]
    assert index["IndexName"] == "LeaseOwnerToLeaseKeyIndex"
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}


def test_the_first_leases_belong_to_the_worker_that_starts(clients: Clients) -> None:
    assert leases.prepare(APPLICATION, "w1", [PARENT, LEFT, RIGHT], clients) == 3
    items = rows(clients, APPLICATION, "leaseKey")
    assert items[LEFT.shard_id] == {
        "leaseKey": {"S": LEFT.shard_id},
        "leaseOwner": {"S": "w1"},
        "leaseCounter": {"N": "0"},
        "ownerSwitchesSinceCheckpoint": {"N": "0"},
        "checkpoint": {"S": "TRIM_HORIZON"},
        "checkpointSubSequenceNumber": {"N": "0"},
        "startingHashKey": {"S": "0"},
        "endingHashKey": {"S": str(HALF)},
        "parentShardId": {"SS": [PARENT.shard_id]},
    }
    assert "parentShardId" not in items[PARENT.shard_id]


def test_from_the_latest_record_closed_shards_are_not_read(clients: Clients) -> None:
    assert leases.prepare(APPLICATION, "w1", [PARENT, LEFT, RIGHT], clients, position="LATEST") == 2
    items = rows(clients, APPLICATION, "leaseKey")
    assert {item["checkpoint"]["S"] for item in items.values()} == {"LATEST"}
    assert PARENT.shard_id not in items


def test_an_application_that_ran_before_keeps_its_leases(clients: Clients) -> None:
    leases.prepare(APPLICATION, "w1", [LEFT], clients)
    before = rows(clients, APPLICATION, "leaseKey")
    assert leases.prepare(APPLICATION, "w2", [LEFT, RIGHT], clients) == 0
    assert rows(clients, APPLICATION, "leaseKey") == before


def test_the_assignment_is_pinned_once(clients: Clients) -> None:
    leases.prepare(APPLICATION, "w1", [], clients)
    table = lease_tables(APPLICATION)[1].suffix
    assert rows(clients, table, "key")["Migration3.0"]["cv"] == {"S": "CLIENT_VERSION_2X"}
    rolled_forward = {"key": {"S": "Migration3.0"}, "cv": {"S": "CLIENT_VERSION_3X"}}
    clients.dynamodb.put_item(TableName=table, Item=rolled_forward)
    leases.prepare(APPLICATION, "w1", [], clients)
    assert rows(clients, table, "key")["Migration3.0"] == rolled_forward


def test_a_stopped_worker_gives_up_its_own_leases_only(clients: Clients) -> None:
    leases.prepare(APPLICATION, "w1", [LEFT], clients)
    others = leases.first_lease(RIGHT, "w2", "TRIM_HORIZON")
    clients.dynamodb.put_item(TableName=APPLICATION, Item=others)
    assert leases.release(APPLICATION, "w1", clients) == 1
    items = rows(clients, APPLICATION, "leaseKey")
    assert "leaseOwner" not in items[LEFT.shard_id]
    assert items[LEFT.shard_id]["leaseCounter"] == {"N": "1"}
    assert items[RIGHT.shard_id] == others
