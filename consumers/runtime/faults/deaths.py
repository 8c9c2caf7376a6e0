"""How often a shard's worker ended by itself since the shard last moved: `deaths` in the shard's item.

A worker counts up at the shards that it owned, and their next commit takes the count away. It outlives the launcher and goes
with the shard from worker to worker, so a fleet that dies slowly over one record is seen as well. A heartbeat takes nothing
away: a shard's process still reports that it lives while the JVM before it has given up and takes half a minute to end.
"""

from __future__ import annotations

import sys
import time

from clickstream.aws import Clients
from clickstream.failures.outages import translated
from clickstream.progress.shards_table import ShardsTable
from clickstream.settings import Settings
from clickstream.telemetry import emf
from consumers.runtime.worker import leases

#: A worker that lived for so long did not die of what it was given at its start: on a quiet shard the count begins anew.
STEADY_S = 600.0


def count(application: str, worker_id: str, clients: Clients, settings: Settings, lived_s: float) -> int:
    """Count one end of the worker at each of its shards; returns the least of their counts, 0 without a shard.

    The least, because a worker of which any shard has moved since its last end is not one that cannot live.
    """
    with translated("DynamoDB"):
        owned = leases.owned(settings.application(application), worker_id, clients.dynamodb)
    table = ShardsTable(clients, settings)
    counts = [table.count_death(application, shard, anew=lived_s >= STEADY_S) for shard in owned]
    if settings.metrics == "emf":
        worst = max(counts, default=1)
        dimensions, facts = {"application": application}, {"worker": worker_id}
        line = emf.line(time.time_ns() // 1_000_000, dimensions, {"clickstream_worker_deaths": worst}, facts)
        sys.stderr.write(line + "\n")
    return min(counts, default=0)
