"""The breakers' states in a shard's item, as an operator reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from clickstream.aws import Clients
from clickstream.consumers.runtime.state.snapshots import SnapshotStore
from clickstream.infra.local import resources
from clickstream.platform import SHARDS
from clickstream.settings import Settings

SETTINGS = Settings(credentials=("test", "test"))


@pytest.fixture
def clients() -> Iterator[Clients]:
    with mock_aws():
        clients = Clients(SETTINGS)
        resources.create(clients, SETTINGS, shards=1)
        yield clients


def _store(clients: Clients, owner: str) -> SnapshotStore:
    return SnapshotStore("analytics", owner, clients, SETTINGS)


def _item(clients: Clients) -> Any:
    key = {"application": {"S": "analytics"}, "shard": {"S": "shardId-0"}}
    return clients.dynamodb.get_item(TableName=SHARDS.of(SETTINGS), Key=key)["Item"]


def test_the_owner_shows_what_is_down_and_that_it_is_back(clients: Clients) -> None:
    store = _store(clients, "first")
    store.take("shardId-0", 1)
    store.tell_trouble({"S3": "open"}, {})
    assert _item(clients)["breakers"] == {"M": {"S3": {"S": "open"}}}
    store.tell_trouble({}, {})
    assert _item(clients)["breakers"] == {"M": {}}


def test_a_former_owner_shows_nothing_and_a_new_one_begins_anew(clients: Clients) -> None:
    former = _store(clients, "first")
    former.take("shardId-0", 1)
    former.tell_trouble({"S3": "open"}, {})
    _store(clients, "second").take("shardId-0", 2)
    assert "breakers" not in _item(clients)
    former.tell_trouble({"SQS": "open"}, {})
    assert "breakers" not in _item(clients)


def test_nothing_is_told_of_a_shard_that_is_not_taken(clients: Clients) -> None:
    _store(clients, "first").tell_trouble({"S3": "open"}, {})
    assert clients.dynamodb.scan(TableName=SHARDS.of(SETTINGS))["Items"] == []


def test_what_is_not_allowed_is_in_the_item_until_the_next_owner(clients: Clients) -> None:
    store = _store(clients, "first")
    store.take("shardId-0", now_ms=1)
    store.tell_trouble({}, {"action": "sns:Publish", "resource": "arn:topic", "since": 5})
    assert _item(clients)["waiting"] == {
        "M": {"action": {"S": "sns:Publish"}, "resource": {"S": "arn:topic"}, "since": {"N": "5"}}
    }
    _store(clients, "second").take("shardId-0", now_ms=2)
    assert "waiting" not in _item(clients)
