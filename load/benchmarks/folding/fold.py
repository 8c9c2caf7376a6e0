"""``fold``: what an application costs over the price of decoding its events, which nothing can go below."""

from __future__ import annotations

import gc
from collections.abc import Callable

from clickstream.records.routing import WHOLE_SPACE
from consumers.analytics.wiring import APPLICATION
from consumers.fraud.wiring import APPLICATION as FRAUD
from consumers.recommendations.wiring import APPLICATION as RECOMMENDATIONS
from consumers.runtime.application import Application
from consumers.runtime.loop.opening import slices
from consumers.runtime.state.shard_state import ShardState
from consumers.runtime.worker.child import tune_garbage_collector
from load.benchmarks.codec.decode import decode_alone
from load.benchmarks.harness.measure import Benchmark, Reading, cpu_rate
from load.benchmarks.harness.sample import batches, daemon_lines, sample_events

COUNT = 100_000
#: Folded before, uncounted: the shard is in the middle of its life, its visitors and their sessions are mostly known.
_EARLIER = 60_000
_PER_BATCH = 2_000
#: A commit takes the effects and the state's changes this often at full speed (consumers.runtime.loop.checkpointing).
PER_COMMIT = 20_000
#: At the sample's 2,000 events a second, some six events a minute of each visitor: about what people do.
_USERS = 20_000
#: The counted part crosses a minute in its middle, with events on both sides of it in one batch.
_BEFORE_THE_MINUTE_MS = 55_000
_LATE_MS = 500.0


def benchmark() -> Benchmark:
    return of(APPLICATION, id="fold", aim="≥ 0.40 of the limit", least=0.40)


def fraud() -> Benchmark:
    return of(FRAUD, id="fold-fraud", aim="≥ 0.25 of the limit", least=0.25)


def recommendations() -> Benchmark:
    return of(RECOMMENDATIONS, id="fold-recommendations", aim="≥ 0.15 of the limit", least=0.15)


def of(application: Application, *, id: str, aim: str, least: float) -> Benchmark:
    """Any application's fold against the limit."""
    earlier, lines = sample_lines()

    def ours() -> Reading:
        state = ShardState(application.name, application.open_fold("shardId-000000000000"), WHOLE_SPACE)
        fold(state, earlier)
        reading = with_the_childs_collector(lambda: cpu_rate(COUNT, lambda: fold(state, lines)))
        assert state.progress.events == _EARLIER + COUNT
        return reading

    def peer() -> Reading:
        return with_the_childs_collector(lambda: cpu_rate(COUNT, lambda: decode_alone(lines)))

    return Benchmark(
        id=id,
        what=f"{application.name} on one core: decode, home check, duplicates, fold, a commit's encoding every 20,000",
        unit="events/s",
        aim=aim,
        least=least,
        peer_name="decoding alone (the limit)",
        fairness="The same lines, the collector set as in a shard's process on both sides; the limit does nothing with an "
        "event. Not in it: the stores' own encoding and calls, which run on another thread.",
        clock="CPU",
        ours=ours,
        peer=peer,
    )


def sample_lines() -> tuple[list[bytes], list[bytes]]:
    """The daemon's lines: those folded before, and those that count."""
    count = _EARLIER + COUNT
    sample = sample_events(count, users=_USERS, before_the_minute_ms=_BEFORE_THE_MINUTE_MS, late_ms=_LATE_MS)
    lines = daemon_lines(sample, per_batch=_PER_BATCH)
    return lines[: _EARLIER // _PER_BATCH], lines[_EARLIER // _PER_BATCH :]


def fold(state: ShardState, lines: list[bytes]) -> None:
    for number, batch in enumerate(batches(lines), 1):
        for part in slices(batch.records, state.position):
            state.apply(part)
        if number % (PER_COMMIT // _PER_BATCH) == 0:
            state.changes()
            state.fold.effects(flush=False)


def with_the_childs_collector(measured: Callable[[], Reading]) -> Reading:
    """A reading taken with the collector set as in a shard's process."""
    threshold = gc.get_threshold()
    tune_garbage_collector()
    try:
        return measured()
    finally:
        gc.set_threshold(*threshold)
