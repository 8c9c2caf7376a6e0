"""Whether the shards move, judged from outside: by what the shards table holds, and by Kinesis's own list of shards."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import msgspec

from clickstream.aws import Clients
from clickstream.platform import SHARDS
from clickstream.settings import Settings

_LOOK_S = 0.1
_TOLD = ("owner", "epoch", "updated_at")


class Standstill(AssertionError):
    """Shards did not move for so long that nobody would wait any longer."""


class Shards:
    """Every application's shards. Times are milliseconds of the wall clock, which the embedded Kinesis stamps records with."""

    def __init__(self, applications: Sequence[str], settings: Settings) -> None:
        self._applications = applications
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

    def rows(self, application: str) -> dict[str, dict[str, Any]]:
        """Shard id → the runtime's item, raw."""
        items = self._clients.dynamodb.query(
            TableName=SHARDS.of(self._settings),
            KeyConditionExpression="application = :application",
            ExpressionAttributeValues={":application": {"S": application}},
            ConsistentRead=True,
        )["Items"]
        return {item["shard"]["S"]: item for item in items}

    def waiting(self) -> set[str]:
        """What the applications' shards say they wait for because they may not do it."""
        return {
            f"{application} {item['waiting']['M']['action']['S']}"
            for application in self._applications
            for item in self.rows(application).values()
            if item.get("waiting", {}).get("M", {}).get("action")
        }

    def standing(self, since_ms: int) -> list[str]:
        """Where an application has no commit that covers a record which arrived after ``since_ms`` in an open shard.

        An arrival, and not a position: a commit that was under way when the fault came moves the position too.
        """
        shards = [shard["ShardId"] for shard in self.open()]
        standing = []
        for application in self._applications:
            rows = self.rows(application)
            for shard in shards:
                row = rows.get(shard, {})
                if int(row.get("arrived_ms", {"N": "0"})["N"]) <= since_ms:
                    told = " ".join(f"{name} {next(iter(row[name].values()))}" for name in _TOLD if name in row)
                    standing.append(f"{application} {shard} {told}")
        return standing

    def wait_until_moving(self, since_ms: int, *, timeout_s: float) -> float:
        """Seconds from ``since_ms`` until every application has moved in every open shard; raises Standstill."""
        deadline = time.monotonic() + timeout_s
        while standing := self.standing(since_ms):
            if time.monotonic() > deadline:
                raise Standstill(f"stand still {timeout_s:.0f} s after the fault: {'; '.join(standing)}")
            time.sleep(_LOOK_S)
        return time.time() - since_ms / 1000

    def wait_until_caught_up(self, since_ms: int, *, timeout_s: float) -> None:
        """Until every application has told, after ``since_ms``, that it has nothing more to read; raises Standstill."""
        deadline = time.monotonic() + timeout_s
        while behind := self._behind(since_ms):
            if time.monotonic() > deadline:
                raise Standstill(f"not caught up in {timeout_s:.0f} s: {'; '.join(behind)}")
            time.sleep(_LOOK_S)

    def _behind(self, since_ms: int) -> list[str]:
        shards = [shard["ShardId"] for shard in self.open()]
        return [
            f"{application} {shard}"
            for application in self._applications
            for rows in (self.rows(application),)
            for shard in shards
            if shard not in rows
            or int(rows[shard]["updated_at"]["N"]) <= since_ms
            or rows[shard].get("behind_ms") != {"N": "0"}
        ]

    def folded(self, application: str) -> int:
        """Events that took effect, over all shards there were."""
        return sum(int(row["events"]["N"]) for row in self.rows(application).values() if "events" in row)


def now_ms() -> int:
    return time.time_ns() // 1_000_000
