"""What a shard of one application costs on AWS: writes, puts and dollars, by arithmetic. Pure.

Prices are AWS's public list prices for us-east-1, on demand, as known on 2026-11-24: look them up before relying on them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import msgspec

#: Dollars: per shard and hour; per million payload units of 25 KB.
KINESIS_SHARD_HOUR = 0.015
KINESIS_MILLION_UNITS = 0.014
#: Per million write request units (1 KB each).
DYNAMODB_MILLION_WRITES = 0.625
#: Per thousand PUTs.
S3_THOUSAND_PUTS = 0.005
#: Fargate: per vCPU and hour, per GB and hour.
VCPU_HOUR = 0.04048
GB_HOUR = 0.004445

Kind = Literal["moving", "minute", "hour", "commit", "object"]
"""Of a write: rows by what begins their hash key, the shard's item, an object of its state on S3."""

#: What consumers.runtime and analytics do per busy shard (CommitPolicy, AnalyticsFold, derive); a test compares it with the
#: calls of a run, which ``counted`` prints. A shard that is polled every 250 ms has something new four times a second.
POLLS_PER_S = 4.0
COMMIT_S = 20.0
COMMIT_EVENTS = 50_000
HEARTBEAT_S = 8.0
#: Minutes' rows of a commit: the newest, and those behind the watermark that wait for every ninth.
MINUTES_PER_COMMIT = 3.0
HOURS_PER_COMMIT = 2 / 9
#: Write units of one, as counted at 1,000 events a second (an hour's row: in the middle of its hour).
UNITS: Mapping[Kind, float] = {"moving": 1.0, "minute": 10.3, "hour": 20.0, "commit": 2.4}
#: KCL's renewals; its checkpoint follows each commit.
RENEWALS_PER_S = 1.5
EVENT_BYTES = 62
RECORD_BYTES = 200 * EVENT_BYTES
UNIT_BYTES = 25 * 1024
#: CPU µs per event of one application, the JVM's part included; GB per worker and per further shard; shards per worker.
EVENT_CPU_US = 30.0
WORKER_GB = 0.36
FURTHER_SHARD_GB = 0.027
SHARDS_PER_WORKER = 16


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """Analytics on so many busy shards; rates per second, money per million events."""

    shards: int
    workers: int
    processes: int
    memory_gb: float
    dynamodb_writes: float
    """Write request units."""
    s3_puts: float
    kinesis_usd: float
    dynamodb_usd: float
    s3_usd: float
    compute_usd: float

    @property
    def usd(self) -> float:
        return self.kinesis_usd + self.dynamodb_usd + self.s3_usd + self.compute_usd


def calls(events_per_shard: float) -> dict[Kind, float]:
    """A shard's writes a second."""
    interval_s = min(COMMIT_S, COMMIT_EVENTS / events_per_shard)
    heartbeats = math.ceil(interval_s / HEARTBEAT_S) - 1
    each: dict[Kind, float] = {
        "minute": MINUTES_PER_COMMIT, "hour": HOURS_PER_COMMIT, "commit": 1 + heartbeats, "object": 1,
    }  # fmt: skip
    return {"moving": POLLS_PER_S, **{kind: count / interval_s for kind, count in each.items()}}


def bill(shards: int, events_per_shard: float) -> Bill:
    """For so many events a second on each shard."""
    workers = math.ceil(shards / SHARDS_PER_WORKER)
    memory_gb = workers * WORKER_GB + (shards - workers) * FURTHER_SHARD_GB
    done = calls(events_per_shard)
    objects = shards * done["object"]
    writes = shards * (RENEWALS_PER_S + done["object"] + sum(done[kind] * units for kind, units in UNITS.items()))
    rate = shards * events_per_shard
    seconds = 1e6 / rate
    units = 1e6 * EVENT_BYTES / RECORD_BYTES * math.ceil(RECORD_BYTES / UNIT_BYTES)
    vcpus = rate * EVENT_CPU_US / 1e6
    return Bill(
        shards=shards,
        workers=workers,
        processes=3 * workers + 2 * shards,
        memory_gb=memory_gb,
        dynamodb_writes=writes,
        s3_puts=objects,
        kinesis_usd=shards * KINESIS_SHARD_HOUR * seconds / 3600 + units / 1e6 * KINESIS_MILLION_UNITS,
        dynamodb_usd=writes * seconds / 1e6 * DYNAMODB_MILLION_WRITES,
        s3_usd=objects * seconds / 1000 * S3_THOUSAND_PUTS,
        compute_usd=(vcpus * VCPU_HOUR + memory_gb * GB_HOUR) * seconds / 3600,
    )


def table(events_per_shard: float) -> str:
    """Markdown: 10, 100 and 1,000 shards."""
    head = "| shards | events/s | workers | processes | memory GB | DynamoDB WRU/s | S3 puts/s |"
    lines = [head + " Kinesis $ | DynamoDB $ | S3 $ | compute $ | **$ per million** |", "|" + "---|" * 12]
    for shards in (10, 100, 1_000):
        b = bill(shards, events_per_shard)
        lines.append(
            f"| {shards:,} | {shards * events_per_shard:,.0f} | {b.workers} | {b.processes:,} | {b.memory_gb:.1f} "
            f"| {b.dynamodb_writes:,.0f} | {b.s3_puts:,.1f} | {b.kinesis_usd:.4f} | {b.dynamodb_usd:.4f} | {b.s3_usd:.4f} "
            f"| {b.compute_usd:.4f} | **{b.usd:.4f}** |"
        )
    return "\n".join(lines)
