"""``fold``: what an application costs over the price of decoding its events, which nothing can go below."""

from __future__ import annotations

import time

import msgspec

from clickstream import events
from clickstream.routing import WHOLE_SPACE
from consumers.analytics.wiring import APPLICATION
from consumers.runtime.shard_state import ShardState
from consumers.runtime.wire import Message, ProcessRecords
from load.benchmarks.measure import Benchmark
from load.benchmarks.sample import daemon_lines, sample_events

_COUNT = 100_000
_PER_BATCH = 2_000
#: A commit takes the effects and the state's changes this often (consumers.runtime.checkpointing).
_PER_COMMIT = 20_000


def benchmark() -> Benchmark:
    lines = daemon_lines(sample_events(_COUNT), per_batch=_PER_BATCH)
    decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)

    def ours() -> float:
        state = ShardState(APPLICATION.name, APPLICATION.open_fold("shardId-000000000000"), WHOLE_SPACE)
        started = time.perf_counter()
        for number, line in enumerate(lines, 1):
            batch = decoder.decode(line)
            assert isinstance(batch, ProcessRecords)
            state.apply(batch.records)
            if number % (_PER_COMMIT // _PER_BATCH) == 0:
                state.changes()
                state.fold.effects(flush=False)
        spent = time.perf_counter() - started
        assert state.progress.events == _COUNT
        return _COUNT / spent

    def peer() -> float:
        started = time.perf_counter()
        for line in lines:
            batch = decoder.decode(line)
            assert isinstance(batch, ProcessRecords)
            for record in batch.records:
                events.decode(record.data)
        return _COUNT / (time.perf_counter() - started)

    return Benchmark(
        id="fold",
        what="analytics on one core: decode, home check, duplicates, fold, and a commit's encoding every 20,000 events",
        unit="events/s",
        aim="≥ 0.40 of the limit",
        peer_name="decoding alone (the limit)",
        fairness="The same lines; the limit does nothing with an event.",
        ours=ours,
        peer=peer,
    )
