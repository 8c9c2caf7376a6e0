"""``fold``: what an application costs over the price of decoding its events, which nothing can go below."""

from __future__ import annotations

import gc
from collections.abc import Callable

import msgspec

from clickstream.application import Application
from clickstream.consumers.analytics.wiring import APPLICATION
from clickstream.consumers.fraud.wiring import APPLICATION as FRAUD
from clickstream.consumers.recommendations.wiring import APPLICATION as RECOMMENDATIONS
from clickstream.consumers.runtime.loop.opening import slices
from clickstream.consumers.runtime.state.shard_state import ShardState
from clickstream.consumers.runtime.worker.child import tune_garbage_collector
from clickstream.load.benchmarks.codec.decode import decode_alone
from clickstream.load.benchmarks.harness.measure import Benchmark, Reading, cpu_rate
from clickstream.load.benchmarks.harness.sample import PER_RECORD, batches, daemon_lines, sample_events
from clickstream.records.routing import WHOLE_SPACE

COUNT = 100_000
#: Folded before, uncounted: the shard is in the middle of its life, its visitors and their sessions are mostly known.
_EARLIER = 60_000
#: Of a shard that catches up; it is folded in slices.
PER_BATCH = 10_000
#: A commit takes the effects and the state's changes this often at full speed (consumers.runtime.loop.checkpointing).
PER_COMMIT = 20_000
#: At the sample's 2,000 events a second, some six events a minute of each visitor: about what people do.
_USERS = 20_000
#: The counted part crosses a minute in its middle, with events on both sides of it in one batch.
_BEFORE_THE_MINUTE_MS = 55_000
_LATE_MS = 500.0


def benchmark() -> Benchmark:
    return of(APPLICATION, id="fold", most_us=2.5)


def fraud() -> Benchmark:
    return of(FRAUD, id="fold-fraud")


def recommendations() -> Benchmark:
    return of(RECOMMENDATIONS, id="fold-recommendations")


def of(application: Application, *, id: str, most_us: float | None = None) -> Benchmark:
    """Any application's fold against the limit."""
    earlier, lines = sample_lines()

    def ours() -> Reading:
        state = ShardState(application.name, application.open_fold("shardId-000000000000"), WHOLE_SPACE)
        fold(state, earlier)
        reading = with_the_childs_collector(lambda: cpu_rate(COUNT, lambda: fold(state, lines)))
        assert state.progress.events == _EARLIER + COUNT
        return with_its_cost(reading)

    def peer() -> Reading:
        return with_the_childs_collector(lambda: cpu_rate(COUNT, lambda: decode_alone(lines, COUNT)))

    return Benchmark(
        id=id,
        what=f"{application.name} on one core: inflate, decode, home check, duplicates, fold, a commit's encoding every 20,000",
        unit="events/s",
        aim="as it is" if most_us is None else f"≤ {most_us} µs an event",
        within={} if most_us is None else {"ours µs per event": (0, most_us)},
        peer_name="decoding alone (the limit)",
        fairness=f"The same lines, {PER_RECORD} events a record (zstd), the collector set as in a shard's process on both "
        "sides; the limit does nothing with an event. Not in it: the stores' own encoding and calls, which run on another "
        "thread.",
        clock="CPU",
        ours=ours,
        peer=peer,
    )


def sample_lines() -> tuple[list[bytes], list[bytes]]:
    """The daemon's lines: those folded before, and those that count."""
    count = _EARLIER + COUNT
    sample = sample_events(count, users=_USERS, before_the_minute_ms=_BEFORE_THE_MINUTE_MS, late_ms=_LATE_MS)
    lines = daemon_lines(sample, per_batch=PER_BATCH, per_record=PER_RECORD)
    return lines[: _EARLIER // PER_BATCH], lines[_EARLIER // PER_BATCH :]


def with_its_cost(reading: Reading) -> Reading:
    """The same, with what an event costs beside it."""
    return msgspec.structs.replace(reading, extra={"µs per event": 1e6 / reading.figure, **reading.extra})


def fold(state: ShardState, lines: list[bytes]) -> None:
    for number, batch in enumerate(batches(lines), 1):
        for part in slices(batch.records, state.position):
            state.apply(part)
        if number % (PER_COMMIT // PER_BATCH) == 0:
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
