"""The real stores' tables on moto, filled as a worker fills them: analytics' fold and sink, and the runtime's commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clickstream import platform
from clickstream.aws import Clients
from clickstream.consumers.analytics.needs import AGGREGATES
from clickstream.consumers.analytics.wiring import APPLICATION
from clickstream.consumers.recommendations.needs import OFFERS
from clickstream.consumers.runtime.state.snapshots import Commit, Progress, SnapshotStore
from clickstream.events import AnyEvent, Item, ProductView, Purchase, Search
from clickstream.progress.completeness import Arrival
from clickstream.records.position import Position
from clickstream.settings import Settings

SHARDS = ("shardId-000000000000", "shardId-000000000001")


def create(clients: Clients, settings: Settings) -> None:
    """What ``clickstream local start`` makes, as far as serving needs it."""
    clients.s3.create_bucket(Bucket=platform.STATE.of(settings))
    for table, hash_key, range_key in (
        (platform.SHARDS.of(settings), "application", "shard"),
        (AGGREGATES.of(settings), "window", "part"),
        (OFFERS.of(settings), "subject", "part"),
    ):
        clients.dynamodb.create_table(
            TableName=table,
            KeySchema=[
                {"AttributeName": hash_key, "KeyType": "HASH"},
                {"AttributeName": range_key, "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": hash_key, "AttributeType": "S"},
                {"AttributeName": range_key, "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )


def visits(number: int, start_ms: int) -> list[AnyEvent]:
    """Of one visitor: three views, a search and a purchase of 12.50 EUR, one event every ten seconds."""
    at: list[dict[str, Any]] = [
        {
            "event_id": f"v{number}-{step}",
            "user_id": f"visitor-{number}",
            "session_id": "1",
            "occurred_at": start_ms + 10_000 * step,
        }
        for step in range(5)
    ]
    return [
        *(ProductView(**at[step], product_id=f"p{step}", category="books") for step in range(3)),
        Search(**at[3], query="Atlas"),
        Purchase(**at[4], order_id=f"o{number}", items=(Item(product_id="p0"),), amount=1250, currency="EUR"),
    ]


def work(clients: Clients, settings: Settings, shard: str, events: Sequence[AnyEvent], now_ms: int) -> None:
    """One worker folds the events of one shard and commits."""
    fold = APPLICATION.open_fold(shard)
    fold.apply(events)
    position = Position(len(events))
    APPLICATION.open_sink(shard, clients, settings).write(fold.effects(flush=True), position)
    store = SnapshotStore(APPLICATION.name, f"worker-{shard[-1]}", clients, settings)
    lease = store.take(shard, now_ms)
    progress = Progress(events=len(events), watermark_ms=max(event.occurred_at for event in events), dead_letters=1)
    half = ("0" * 32 + "-7" + "f" * 31, "8" + "0" * 31 + "-" + "f" * 32)[SHARDS.index(shard)]
    arrival = Arrival(hash_range=half, arrived_to=now_ms, whole_to=now_ms)
    store.commit(lease, Commit(position=position, state=fold.snapshot(), full=True, progress=progress, arrival=arrival), now_ms)
