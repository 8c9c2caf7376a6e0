"""How often a shard's worker ended by itself since the shard last moved: `deaths` in the shard's item.

A worker counts up at the shards that it owned, and their next commit takes the count away. It outlives the launcher and goes
with the shard from worker to worker, so a fleet that dies slowly over one record is seen as well. A heartbeat takes nothing
away: a shard's process goes on telling that it lives while the JVM before it has given up and takes half a minute to end.
"""

from __future__ import annotations

import sys
import time

from clickstream.aws import Clients
from clickstream.platform import SHARDS
from clickstream.settings import Settings
from clickstream.telemetry import emf
from clickstream.telemetry.emf import Values
from clickstream.telemetry.metrics import MetricName
from consumers.runtime.faults.outages import translated
from consumers.runtime.worker import leases

#: Who lived for so long did not die of what it was given at its start: on a quiet shard the count begins anew.
STEADY_S = 600.0


def count(application: str, worker_id: str, clients: Clients, settings: Settings, lived_s: float) -> int:
    """Count one end of the worker at each of its shards; returns the least of their counts, 0 without a shard.

    The least, because a worker of which any shard has moved since its last end is not one that cannot live.
    """
    counts: list[int] = []
    with translated("DynamoDB"):
        for shard_id in leases.owned(settings.application(application), worker_id, clients.dynamodb):
            item = clients.dynamodb.update_item(
                TableName=SHARDS.of(settings),
                Key={"application": {"S": application}, "shard": {"S": shard_id}},
                UpdateExpression="ADD deaths :one" if lived_s < STEADY_S else "SET deaths = :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
                ReturnValues="UPDATED_NEW",
            )["Attributes"]
            counts.append(int(item["deaths"]["N"]))
    if settings.metrics == "emf":
        worst: dict[MetricName, Values] = {"clickstream_worker_deaths": max(counts, default=1)}
        line = emf.line(time.time_ns() // 1_000_000, {"application": application}, worst, {"worker": worker_id})
        sys.stderr.write(line + "\n")
    return min(counts, default=0)
