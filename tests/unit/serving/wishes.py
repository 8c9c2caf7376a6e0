"""A shop's own application and the rows that its workers wrote, for the tests of what reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from moto import mock_aws

from clickstream import platform
from clickstream.answers import HOUR, Application, Count, Distinct, Max, Messages, Table, Top, User
from clickstream.answers.declared import Addition
from clickstream.aws import Clients
from clickstream.aws.boto_types import AttributeValueTypeDef
from clickstream.events import AddToCart
from clickstream.settings import Settings
from tests.unit.serving import stores
from tests.unit.serving.shop import HALVES, NOW

WISHES = Table("wishes", per=HOUR, wishes=Count(), wishers=Distinct(), tags=Top(3))
EVER = Table("ever", per=0, dearest=Max())


def _wished(event: AddToCart, user: User[None]) -> Iterator[Addition]:
    yield WISHES.add(event.product_id, wishes=1, wishers=user.id)


APPLICATION = Application("wishlist", on={"add_to_cart": _wished}, answers=[WISHES, EVER, Messages("news")])
THIS_HOUR = NOW // HOUR * HOUR
SHARDS = ("shardId-000000000000", "shardId-000000000001")


@contextmanager
def stored(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    """Clients of stores in memory, with all tables; whatever AWS the machine is set to."""
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "test")
    for variable in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    with mock_aws():
        clients = Clients(Settings())
        stores.create(clients, Settings())
        create(clients, Settings())
        yield clients


def create(clients: Clients, settings: Settings) -> None:
    for table in APPLICATION.needs.tables:
        clients.dynamodb.create_table(**table.creation(table.of(settings)))


def row(
    clients: Clients,
    settings: Settings,
    table: Table,
    start_ms: int,
    key: str,
    shard: int = 0,
    late: int = 0,
    **added: Iterable[Any],
) -> None:
    """What a shard's worker has written of a key: its cells after these values."""
    item: dict[str, AttributeValueTypeDef] = {
        "window": {"S": f"{start_ms:014d}"},
        "row": {"S": f"{key}#{SHARDS[shard]}#{late}"},
        "position": {"S": f"{100:039d}.{0:019d}"},
    }
    for name, values in added.items():
        cell = table.cells[name]
        state = cell.empty()
        for value in values:
            state = cell.add(state, value)
        packed = cell.pack(state)
        item[name] = {"N": str(packed)} if isinstance(packed, int) else {"B": msgspec.msgpack.encode(packed)}
    clients.dynamodb.put_item(TableName=f"{settings.name}-wishlist-{table.name}", Item=item)


def seen(clients: Clients, settings: Settings, watermark_ms: int, complete_to: int = 0) -> None:
    """The shards' progress."""
    for shard, keys in zip(SHARDS, HALVES, strict=True):
        clients.dynamodb.put_item(
            TableName=platform.SHARDS.of(settings),
            Item={
                "application": {"S": "wishlist"},
                "shard": {"S": shard},
                "hash_range": {"S": keys},
                "watermark_ms": {"N": str(watermark_ms)},
                "updated_at": {"N": str(watermark_ms)},
                "arrived_to": {"N": str(complete_to)},
                "whole_to": {"N": str(complete_to)},
            },
        )
