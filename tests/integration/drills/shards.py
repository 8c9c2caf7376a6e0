"""Whether the shards move, judged from outside: by what the shards table holds, and by Kinesis's own list of shards."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from clickstream.aws import Clients
from clickstream.settings import Settings

_LOOK_S = 0.1


class Standstill(AssertionError):
    """Shards did not move for so long that nobody would wait any longer."""


class Shards:
    """One application's shards. Times are milliseconds of the wall clock, which the embedded Kinesis stamps records with."""

    def __init__(self, application: str, settings: Settings) -> None:
        self._application = application
        self._clients = Clients(settings)
        self._settings = settings

    def open(self) -> list[dict[str, Any]]:
        """As Kinesis lists them, by hash range."""
        shards: list[dict[str, Any]] = [
            msgspec.to_builtins(shard)
            for shard in self._clients.kinesis.list_shards(StreamName=self._settings.stream, ShardFilter={"Type": "AT_LATEST"})[
                "Shards"
            ]
        ]
        return sorted(shards, key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]))

    def rows(self) -> dict[str, dict[str, Any]]:
        """Shard id → the runtime's item, raw."""
        items = self._clients.dynamodb.query(
            TableName=self._settings.shards_table,
            KeyConditionExpression="application = :application",
            ExpressionAttributeValues={":application": {"S": self._application}},
            ConsistentRead=True,
        )["Items"]
        return {item["shard"]["S"]: item for item in items}

    def standing(self, since_ms: int) -> list[str]:
        """Open shards without a commit that covers a record which arrived after ``since_ms``.

        An arrival, and not a position: a commit that was under way when the fault came moves the position too.
        """
        rows = self.rows()
        arrived = {shard: int(row.get("arrived_ms", {"N": "0"})["N"]) for shard, row in rows.items()}
        return [shard["ShardId"] for shard in self.open() if arrived.get(shard["ShardId"], 0) <= since_ms]

    def wait_until_moving(self, since_ms: int, *, timeout_s: float) -> float:
        """Seconds from ``since_ms`` until every open shard has moved; raises Standstill."""
        deadline = time.monotonic() + timeout_s
        while standing := self.standing(since_ms):
            if time.monotonic() > deadline:
                rows = self.rows()
                told = {
                    shard: {name: rows.get(shard, {}).get(name) for name in ("owner", "epoch", "updated_at")}
                    for shard in standing
                }
                raise Standstill(f"{len(standing)} shards stand still {timeout_s:.0f} s after the fault: {told}")
            time.sleep(_LOOK_S)
        return time.time() - since_ms / 1000


def now_ms() -> int:
    return time.time_ns() // 1_000_000
