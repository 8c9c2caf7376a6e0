"""What each application costs on AWS: its real sink and snapshots on the embedded AWS, their calls counted and priced by list.

``python -m clickstream.load.benchmarks.folding.applications --write-docs`` writes the table of docs/reference/growth.md. Time
is virtual: KCL's poll four times a second, the runtime's own pace of effects and commits. Units are DynamoDB's own answer to
``ReturnConsumedCapacity``. Not counted: compute, and what the stream costs, which all applications share.
"""

from __future__ import annotations

import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from clickstream.application import Application, Sink
from clickstream.aws import Clients
from clickstream.consumers.needs import declared
from clickstream.consumers.runtime.faults.dead_letters import DeadLetterQueue
from clickstream.consumers.runtime.loop.checkpointing import CommitPolicy
from clickstream.consumers.runtime.loop.shard_loop import ShardLoop
from clickstream.consumers.runtime.state.snapshots import SnapshotStore
from clickstream.consumers.runtime.worker.child import load_application
from clickstream.events import AnyEvent
from clickstream.infra.local import resources, stack
from clickstream.load.benchmarks.folding.cost import COMMIT_S, DYNAMODB_MILLION_WRITES, RENEWALS_PER_S, S3_THOUSAND_PUTS
from clickstream.load.benchmarks.harness import documents
from clickstream.load.benchmarks.harness.sample import shop_events
from clickstream.load.simulation.fleet.shard_process import Held, RecordingCheckpointer, deliver, record
from clickstream.platform import SHARDS, STATE
from clickstream.records.routing import WHOLE_SPACE, Shard
from clickstream.settings import Settings, from_env

#: Events a second on the shard → seconds of them.
RATES = {10: 120, 100: 120, 1_000: 60}
_POLL_MS = 250
_SHARD = "shardId-000000000000"
#: Dollars per million: read units; GETs and HEADs of S3; messages to SNS and SQS.
_READS, _GETS, _MESSAGES = 0.125, 0.4, 0.5
_PUTS = frozenset({"PutObject", "ListObjectsV2", "CopyObject"})


class Calls(msgspec.Struct, frozen=True, kw_only=True):
    """So many events' worth, within so many seconds. Of the shard's state on the one hand, of the answers on the other."""

    events: int
    seconds: float
    state_usd: float
    answers_usd: float
    write_units: float
    """Of the answers."""

    def per_million(self, usd: float) -> float:
        return usd * 1e6 / self.events

    @property
    def leases_usd(self) -> float:
        return (RENEWALS_PER_S + 1 / COMMIT_S) * self.seconds * DYNAMODB_MILLION_WRITES / 1e6

    @property
    def usd(self) -> float:
        return self.state_usd + self.answers_usd + self.leases_usd


class Meter:
    """Adds up what the calls of these clients cost, by table, bucket or topic."""

    def __init__(self, clients: Clients) -> None:
        self._lock = threading.Lock()
        self.write_units: defaultdict[str, float] = defaultdict(float)
        self.usd: defaultdict[str, float] = defaultdict(float)
        clients.dynamodb.meta.events.register("provide-client-params.dynamodb.*", self._ask)
        for client in (clients.dynamodb, clients.s3, clients.sns, clients.sqs):
            client.meta.events.register("before-parameter-build.*", self._remember)
            client.meta.events.register("after-call.*", self._count)

    def _ask(self, params: dict[str, Any], **_: object) -> None:
        params["ReturnConsumedCapacity"] = "TOTAL"

    def _remember(self, params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        context["of"] = params.get("Bucket", "messages")

    def _count(self, model: Any, parsed: dict[str, Any], context: dict[str, Any], **_: object) -> None:
        consumed = parsed.get("ConsumedCapacity", [])
        with self._lock:
            for each in [consumed] if isinstance(consumed, dict) else consumed:
                reads = model.name in {"GetItem", "BatchGetItem", "Query", "Scan"}
                if not reads:
                    self.write_units[each["TableName"]] += each["CapacityUnits"]
                price = _READS if reads else DYNAMODB_MILLION_WRITES
                self.usd[each["TableName"]] += each["CapacityUnits"] * price / 1e6
            service = model.service_model.service_name
            if service == "s3" and not model.name.startswith("Delete"):
                self.usd[context["of"]] += S3_THOUSAND_PUTS / 1e3 if model.name in _PUTS else _GETS / 1e6
            elif service in {"sns", "sqs"}:
                self.usd[context["of"]] += _MESSAGES / 1e6


class _Surroundings:
    def __init__(self, application: Application, clients: Clients, settings: Settings) -> None:
        self._application, self._clients, self._settings = application, clients, settings
        self.store = SnapshotStore(application.name, "counted", clients, settings)
        self.dead_letters = DeadLetterQueue(clients, settings)

    def describe(self, shard_id: str) -> Shard:
        return Shard(shard_id=shard_id, hash_range=WHOLE_SPACE)

    def children_of(self, shard_id: str) -> list[Shard]:
        return []

    def open_sink(self, shard_id: str) -> Sink:
        return self._application.open_sink(shard_id, self._clients, self._settings)


def counted(settings: Settings, name: str, sample: Sequence[AnyEvent]) -> Calls:
    """Of an application on one shard of a deployment that is there."""
    clients = Clients(settings, validate=False)
    meter = Meter(clients)
    application = load_application(name)
    start_ms = now_ms = sample[0].occurred_at
    loop = ShardLoop(
        application,
        _Surroundings(application, clients, settings),
        policy=CommitPolicy(),
        clock_ms=lambda: now_ms,
        monotonic_s=lambda: now_ms / 1_000,
        executor=Held(),
    )
    loop.initialize(_SHARD, "TRIM_HORIZON", 0)
    first = 0
    while first < len(sample):
        now_ms += _POLL_MS
        end = next((at for at in range(first, len(sample)) if sample[at].occurred_at >= now_ms), len(sample))
        if end == first:
            loop.idle()
        else:
            records = [record(sample[at], at + 1, arrived_ms=sample[at].occurred_at) for at in range(first, end)]
            deliver(loop, RecordingCheckpointer(), *records)
        first = end
    of_state = {SHARDS.of(settings), STATE.of(settings)}
    return Calls(
        events=len(sample),
        seconds=(now_ms - start_ms) / 1_000,
        state_usd=sum(usd for what, usd in meter.usd.items() if what in of_state),
        answers_usd=sum(usd for what, usd in meter.usd.items() if what not in of_state),
        write_units=sum(units for table, units in meter.write_units.items() if table not in of_state),
    )


def table(measured: Iterable[tuple[str, int, Calls]]) -> str:
    """Markdown: dollars per million events of each application at each rate."""
    lines = [
        "| application | events/s a shard | answers, units an event | answers $ | state $ | leases $ | **$ per million** |",
        "|" + "---|" * 7,
    ]
    for name, rate, calls in measured:
        parts = (f"{calls.per_million(usd):.4f}" for usd in (calls.answers_usd, calls.state_usd, calls.leases_usd))
        units = calls.write_units / calls.events
        lines.append(f"| {name} | {rate:,} | {units:.3f} | {' | '.join(parts)} | **{calls.per_million(calls.usd):.3f}** |")
    return "\n".join(lines)


@click.command()
@click.option("--write-docs", is_flag=True, help="Also bring docs/reference/growth.md up to date.")
@click.option("--only", default="", help="Applications, separated by commas.")
def main(write_docs: bool, only: str) -> None:
    """Count each application at each rate; print a table."""
    measured: list[tuple[str, int, Calls]] = []
    chosen = [needs.name for needs in declared() if needs.wiring and (not only or needs.name in only.split(","))]
    with (
        tempfile.TemporaryDirectory(prefix="clickstream-bills-") as folder,
        stack.local_aws(Path(folder), home=from_env().local_dir) as aws,
    ):
        for name in chosen:
            for rate, seconds in RATES.items():
                settings = msgspec.structs.replace(aws.settings, name=f"{name}-{rate}")
                resources.create(Clients(settings), settings, shards=1)
                measured.append((name, rate, counted(settings, name, shop_events(rate * seconds, rate=rate))))
                click.echo(table(measured[-1:]).splitlines()[-1], err=True)
    click.echo(table(measured))
    if write_docs:
        documents.write_bills(table(measured), documents.PAGES)


if __name__ == "__main__":
    main()
