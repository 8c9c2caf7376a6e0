"""What one shard of analytics writes: the runtime and its stores' code as they are, over AWS in memory, on virtual time.

``python -m clickstream.load.benchmarks.folding.counted`` prints what ``cost`` is to say.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple, cast

import click
import msgspec

from clickstream.consumers.analytics.wiring import APPLICATION
from clickstream.consumers.runtime.loop.checkpointing import CommitPolicy
from clickstream.consumers.runtime.loop.shard_loop import ShardLoop
from clickstream.consumers.runtime.loop.wire import Record
from clickstream.infra.local.limits.items import item_size
from clickstream.load.benchmarks.folding.cost import Kind
from clickstream.load.simulation.aws.clients import SimulatedClients
from clickstream.load.simulation.aws.stores import S3, Direct, DynamoDb, Stores
from clickstream.load.simulation.fleet.child import Surroundings
from clickstream.load.simulation.fleet.shard_process import Held, RecordingCheckpointer, deliver
from clickstream.load.simulation.world import quiet
from clickstream.load.traffic.plan import Plan
from clickstream.records.routing import WHOLE_SPACE, Shard

_START_MS = 1_764_000_000_000
#: As KCL polls: a batch so often.
_POLL_MS = 250


class Written(msgspec.Struct):
    """By kind: calls, and bytes of the items as they stand then."""

    calls: Counter[Kind] = msgspec.field(default_factory=Counter)
    size: Counter[Kind] = msgspec.field(default_factory=Counter)
    units: Counter[Kind] = msgspec.field(default_factory=Counter)

    def note(self, kind: Kind, size: int) -> None:
        self.calls[kind] += 1
        self.size[kind] += size
        self.units[kind] += math.ceil(size / 1024)


class _Counting(DynamoDb):
    written: Written

    def put_item(self, **request: Any) -> dict[str, Any]:
        kind, _, _ = request["Item"]["window"]["S"].partition("#")
        self.written.note(kind, item_size(request["Item"]))
        return super().put_item(**request)

    def update_item(self, **request: Any) -> dict[str, Any]:
        answer = super().update_item(**request)
        table, key = self._place(request["TableName"], request["Key"])
        self.written.note("commit", item_size(table[key]))
        return answer


class _CountingS3(S3):
    written: Written

    def put_object(self, **request: Any) -> dict[str, Any]:
        if request["Key"].endswith((".full", ".changes")):  # and no dead letter
            self.written.note("object", len(request["Body"]))
        return super().put_object(**request)


class Delivery(NamedTuple):
    at_ms: int
    records: list[Record]


def traffic(rate: float, seconds: float) -> Iterable[Delivery]:
    """The load generator's, as a shard reads it."""
    batch = Delivery(_START_MS, [])
    for number, (offset_us, emission) in enumerate(Plan(rate=rate, duration_s=seconds).emissions(_START_MS)):
        at_ms = _START_MS + offset_us // 1000
        while at_ms >= batch.at_ms + _POLL_MS:
            yield batch
            batch = Delivery(batch.at_ms + _POLL_MS, [])
        batch.records.append(Record(emission.data, emission.key, str(number), 0, at_ms))
    yield batch


def count(deliveries: Iterable[Delivery], *, drained: bool = False) -> Written:
    """What a shard writes from its first event on, and with ``drained`` at the end of its lease."""
    written, now_ms = Written(), _START_MS
    stores = Stores()
    clients = SimulatedClients.of(stores, Direct(lambda: now_ms))
    dynamodb, s3 = _Counting(stores, Direct()), _CountingS3(stores, Direct())
    dynamodb.written = s3.written = written
    shard = Shard(shard_id="shardId-000000000000", hash_range=WHOLE_SPACE)
    surroundings = Surroundings(
        APPLICATION, "owner", msgspec.structs.replace(clients, dynamodb=dynamodb, s3=s3), lambda: [shard]
    )
    loop = ShardLoop(
        APPLICATION,
        cast("Any", surroundings),
        policy=CommitPolicy(),
        clock_ms=lambda: now_ms,
        monotonic_s=lambda: now_ms / 1000,
        executor=Held(),
    )
    loop.initialize(shard.shard_id, "TRIM_HORIZON", 0)
    checkpointer = RecordingCheckpointer()
    for delivery in deliveries:
        now_ms = delivery.at_ms + _POLL_MS
        deliver(loop, checkpointer, *delivery.records)
        loop.idle()
    if drained:
        loop.shutdown_requested(checkpointer)
    return written


@click.command()
@click.option("--rate", default=1_000.0, show_default=True, help="Events a second.")
@click.option("--seconds", default=300.0, show_default=True)
def main(rate: float, seconds: float) -> None:
    """Print what a shard writes a second, by kind."""
    with quiet():
        written = count(traffic(rate, seconds))
    for kind, calls in written.calls.items():
        size, units = written.size[kind] / calls / 1024, written.units[kind] / calls
        click.echo(f"{kind}: {calls / seconds:.3f} calls/s of {size:.2f} KB, {units:.2f} units")


if __name__ == "__main__":
    main()
