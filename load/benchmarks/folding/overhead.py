"""``overhead``: what the delivery guarantees cost: the whole shard loop against a loop that has none of them."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

from clickstream.consumers.analytics.wiring import APPLICATION
from clickstream.consumers.runtime.faults import watchdog
from clickstream.consumers.runtime.loop.checkpointing import CommitPolicy
from clickstream.consumers.runtime.loop.decoding import decode
from clickstream.consumers.runtime.loop.opening import opened, position_of
from clickstream.consumers.runtime.loop.shard_loop import ShardLoop
from clickstream.consumers.runtime.loop.wire import ProcessRecords
from clickstream.consumers.runtime.worker import child
from clickstream.load.benchmarks.folding.fold import COUNT, PER_COMMIT, sample_lines, with_its_cost, with_the_childs_collector
from clickstream.load.benchmarks.harness.measure import Benchmark, Reading, process_cpu_rate
from clickstream.load.benchmarks.harness.sample import batches
from clickstream.load.benchmarks.rig.site import Site

_SHARD = "shardId-000000000000"
_HUNG_AFTER_S = 300.0
_NEVER_MS = 3_600_000


def benchmark() -> Benchmark:
    site = Site(shards=1)
    prepared = child.prepare(APPLICATION.name, site.settings)
    earlier, lines = sample_lines()
    return Benchmark(
        id="overhead",
        what="analytics with every guarantee (home check, duplicates, snapshots, commits, breakers, watchdog)",
        unit="events/s",
        aim="≤ 2.5 µs an event",
        within={"ours µs per event": (0, 2.5)},
        peer_name="the bare loop: decode, fold, effects into the same table",
        fairness="The same lines, the same fold, the same DynamoDB for the effects, written beside the fold every "
        f"{PER_COMMIT:,} events on both sides. Ours alone keeps state: duplicates' ids, changes encoded and compressed, an "
        "object on S3 and a conditional item per commit. Rated by the CPU time of all threads of the process.",
        clock="CPU",
        ours=lambda: _whole(site, prepared, earlier, lines),
        peer=lambda: _bare(site, prepared, earlier, lines),
        close=site.close,
    )


class NoCheckpoints:
    """KCL's end of the wire, always content: its round trip is no part of the child's work."""

    def checkpoint(self, sequence_number: str | None, sub_sequence_number: int | None) -> None:
        """Stored."""


def _whole(site: Site, prepared: child.Prepared, earlier: list[bytes], lines: list[bytes]) -> Reading:
    site.clear()
    watch = watchdog.Watch(_HUNG_AFTER_S)
    with watchdog.WatchedExecutor(watch, "commit") as commits:
        loop = ShardLoop(
            prepared.application,
            prepared.surroundings,
            # by records alone, as at full speed: by the clock, a slower machine would commit more often
            policy=CommitPolicy(max_events=PER_COMMIT, interval_ms=_NEVER_MS, effects_interval_ms=_NEVER_MS),
            executor=commits,
        )
        loop.initialize(_SHARD, "TRIM_HORIZON", 0)

        def process(batch: ProcessRecords) -> None:
            with watch.over("processRecords"):
                loop.process_records(batch, NoCheckpoints(), lambda: None)

        for batch in batches(earlier):
            process(batch)

        def work() -> None:
            for batch in batches(lines):
                process(batch)
            loop.shutdown_requested(NoCheckpoints())

        return with_its_cost(with_the_childs_collector(lambda: process_cpu_rate(COUNT, work)))


def _bare(site: Site, prepared: child.Prepared, earlier: list[bytes], lines: list[bytes]) -> Reading:
    site.clear()
    fold = prepared.application.open_fold(_SHARD)
    sink = prepared.surroundings.open_sink(_SHARD)
    folded = 0
    with ThreadPoolExecutor(1) as writer:

        def process(batch: ProcessRecords) -> None:
            nonlocal folded
            events = decode(opened(batch.records)).events
            fold.apply(events)
            folded += len(events)
            if folded % PER_COMMIT == 0:
                writes.append(writer.submit(sink.write, fold.effects(flush=False), position_of(batch.records[-1])))

        writes: list[Future[None]] = []
        for batch in batches(earlier):
            process(batch)

        def work() -> None:
            for batch in batches(lines):
                process(batch)
            for write in writes:
                write.result()

        return with_the_childs_collector(lambda: process_cpu_rate(COUNT, work))
