"""``overhead-kcl``: the guarantees' price in throughput, with KCL's own side before them, whose speed a shard cannot exceed.

``python -m clickstream.load.benchmarks.folding.overhead_kcl`` is the bare loop's child process; the whole one's is the
platform's own.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from clickstream.consumers.analytics.wiring import APPLICATION
from clickstream.consumers.runtime.loop.checkpointing import CommitPolicy
from clickstream.consumers.runtime.loop.decoding import decode
from clickstream.consumers.runtime.loop.opening import opened, position_of
from clickstream.consumers.runtime.loop.wire import Checkpointer, ProcessRecords, Wire, serve
from clickstream.consumers.runtime.worker import child
from clickstream.load.benchmarks.codec.pipe import COUNTED, PER_BATCH, WARM_UP, Pipe
from clickstream.load.benchmarks.harness.measure import Benchmark, Reading
from clickstream.load.benchmarks.harness.sample import PER_RECORD, sample_events
from clickstream.load.benchmarks.rig.site import Site
from clickstream.settings import environment, from_env

#: As in ``fold``.
_USERS = 20_000
_LATE_MS = 500.0


def benchmark(warm_up: int = WARM_UP, counted: int = COUNTED) -> Benchmark:
    site = Site(shards=1)
    # every event once: what comes again would cost the whole loop less than what is new
    sample = sample_events(PER_BATCH * (warm_up + counted), users=_USERS, late_ms=_LATE_MS)
    pipe = Pipe(sample, per_record=PER_RECORD, batches=(warm_up, counted))
    surroundings = environment(site.settings)

    def run(module: str) -> Reading:
        site.clear()
        return Reading(pipe.run(f"{sys.executable} -m {module}", surroundings).per_second)

    return Benchmark(
        id="overhead-kcl",
        what="analytics with every guarantee, a shard's whole process behind KCL 3.1.3's MultiLang classes",
        unit="events/s",
        aim="≥ 0.95 of the bare loop",
        least=0.95,
        peer_name="the bare loop: decode, fold, effects into the same table",
        fairness="The same Java side, batches, events and effects, written five times a second on both sides; both acknowledge "
        "a batch before they work on it. Ours commits its state once a second besides. Throughput by the wall clock: what the "
        "guarantees cost in CPU time is `overhead`.",
        clock="wall",
        ours=lambda: run(f"clickstream.consumers.runtime.worker.child {APPLICATION.name}"),
        peer=lambda: run("clickstream.load.benchmarks.folding.overhead_kcl"),
        close=site.close,
    )


class BareShard:
    """Folds and shows the answers; keeps nothing, knows no duplicates, starts from nothing after a crash."""

    def __init__(self, prepared: child.Prepared) -> None:
        self._prepared = prepared
        self._every_s = CommitPolicy().effects_interval_ms / 1000
        self._writer = ThreadPoolExecutor(1)
        self._write: Future[None] | None = None
        self._written_at = 0.0

    def initialize(self, shard_id: str, sequence_number: str | None, sub_sequence_number: int | None) -> None:
        self._fold = APPLICATION.open_fold(shard_id)
        self._sink = self._prepared.surroundings.open_sink(shard_id)

    def process_records(self, batch: ProcessRecords, checkpointer: Checkpointer, acknowledge: Callable[[], None]) -> None:
        acknowledge()
        if not batch.records:
            return
        self._fold.apply(decode(opened(batch.records)).events)
        now = time.monotonic()
        if now - self._written_at >= self._every_s and (self._write is None or self._write.done()):
            self._written_at = now
            effects, position = self._fold.effects(flush=False), position_of(batch.records[-1])
            self._write = self._writer.submit(self._sink.write, effects, position)

    def idle(self) -> None:
        """Nothing is due."""

    def lease_lost(self) -> None:
        if self._write is not None:
            self._write.result()

    def shard_ended(self, checkpointer: Checkpointer) -> None:
        """Not in this run."""

    def shutdown_requested(self, checkpointer: Checkpointer) -> None:
        """Not in this run."""


if __name__ == "__main__":
    everything = child.prepare(APPLICATION.name, from_env())
    child.tune_garbage_collector()
    serve(Wire(os.dup(0), os.dup(1)), BareShard(everything))
