"""``growth-users``, ``growth-windows``, ``growth-shards``: whether an event costs the same when everything has grown tenfold.

``python -m clickstream.load.benchmarks.folding.growth`` measures every size and writes the table of docs/reference/growth.md.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial

import click
import msgspec

from clickstream import events
from clickstream.consumers.analytics.wiring import APPLICATION
from clickstream.consumers.runtime.loop.opening import opened
from clickstream.consumers.runtime.loop.wire import Record
from clickstream.consumers.runtime.state.shard_state import ShardState
from clickstream.events import AnyEvent
from clickstream.load.benchmarks.folding.fold import PER_BATCH, fold, with_the_childs_collector
from clickstream.load.benchmarks.harness import documents
from clickstream.load.benchmarks.harness.measure import Benchmark, Reading, cpu_rate, per_second
from clickstream.load.benchmarks.harness.sample import PER_RECORD, daemon_lines, sample_events
from clickstream.load.benchmarks.rig.drain import drain, folded, publish
from clickstream.load.benchmarks.rig.site import Site, wait
from clickstream.load.benchmarks.rig.usage import descendants, pss_mb
from clickstream.records.routing import WHOLE_SPACE

USERS = (1_000, 10_000, 100_000, 1_000_000)
WINDOWS = (1, 10, 100, 1_000)
SHARDS = (1, 2, 4, 8, 16)
_COUNT = 60_000
_MINUTE_MS = 60_000
_LATE_EVERY = 10
_DRAINED = 64_000
_START_S = 120.0
_AIM = "≥ 0.83: at most 20 % dearer"
_LEAST = 1 / 1.2


def users(large: int = 100_000) -> Benchmark:
    return _grown(
        id="growth-users",
        what=f"analytics' cost of an event with {large:,} active visitors in the shard's state",
        peer_name=f"the same with {large // 10:,}",
        measured=with_users,
        large=large,
        small=large // 10,
        clock_note="Decoding, home check, duplicates, fold, a commit's encoding; one thread's CPU time.",
    )


def windows() -> Benchmark:
    return _grown(
        id="growth-windows",
        what="analytics' cost of an event when a tenth of them come late, into any of 100 minutes' windows",
        peer_name="the same with 10 minutes",
        measured=with_windows,
        large=100,
        small=10,
        clock_note="Decoding, home check, duplicates, fold, a commit's encoding; one thread's CPU time.",
    )


def shards(large: int = 10, drained: int = _DRAINED) -> Benchmark:
    benchmark = _grown(
        id="growth-shards",
        what=f"a worker's cost of an event, analytics on {large} shards: the JVM, the zygote and the shards' processes",
        peer_name="the same on 1",
        measured=partial(with_shards, drained=drained),
        large=large,
        small=1,
        clock_note=f"{drained:,} events put as fast as Kinesis takes them; the CPU time of all processes of the worker.",
    )
    return msgspec.structs.replace(benchmark, rounds=1, warm_up=False)


def _grown(
    *, id: str, what: str, peer_name: str, measured: Callable[[int], Reading], large: int, small: int, clock_note: str
) -> Benchmark:
    return Benchmark(
        id=id,
        what=what,
        unit="events/s",
        aim=_AIM,
        least=_LEAST,
        peer_name=peer_name,
        fairness=f"{clock_note} The peer is the same code at the smaller size.",
        clock="CPU",
        ours=lambda: measured(large),
        peer=lambda: measured(small),
    )


def with_users(count: int) -> Reading:
    """Events per CPU second with so many visitors, each of whom was there before."""
    earlier = [_visit(number) for number in range(count)]
    return _folded(earlier, sample_events(_COUNT, users=count, seed=count))


def with_windows(count: int) -> Reading:
    """Events per CPU second when a tenth of them come late, by up to so many minutes, evenly."""
    rng = random.Random(count)
    sample = sample_events(2 * _COUNT, users=10_000, seed=count)
    for late in range(0, len(sample), _LATE_EVERY):
        occurred_at = sample[late].occurred_at - rng.randrange(count) * _MINUTE_MS
        sample[late] = msgspec.structs.replace(sample[late], occurred_at=occurred_at)
    return _folded(sample[:_COUNT], sample[_COUNT:])


def with_shards(count: int, drained: int = _DRAINED) -> Reading:
    """Events per CPU second of one worker on so many shards."""
    warm_up, counted = drained // 2, drained
    with closing(Site(shards=count)) as site:
        worker = site.start_worker(APPLICATION.name)
        wait(
            lambda: sum(1 for epoch in site.committed(APPLICATION.name, "epoch").values() if epoch) == count, "leases", _START_S
        )
        publish(site.settings, sample_events(warm_up, users=10_000, seed=1))
        wait(lambda: folded(site, [APPLICATION.name]) >= warm_up, "the warm-up", _START_S)
        sample = sample_events(counted, users=10_000, seed=2)
        spent = drain(
            lambda: publish(site.settings, sample),
            lambda: folded(site, [APPLICATION.name]) >= warm_up + counted,
            {"Python": [worker]},
        )
        pids = list(descendants(worker.pid))
        held = sum(pss_mb(pid) for pid in pids)
    return Reading(
        per_second(counted, spent.cpu_s),
        {"wall": per_second(counted, spent.wall_s), "processes": float(len(pids)), "MB (PSS)": held},
    )


def _visit(user: int) -> AnyEvent:
    (event,) = sample_events(1, users=1, seed=user)
    return msgspec.structs.replace(event, user_id=f"user-{user}", session_id=f"session-{user}-1", event_id=f"visit-{user}")


def _folded(earlier: Sequence[AnyEvent], counted: Sequence[AnyEvent]) -> Reading:
    state = ShardState(APPLICATION.name, APPLICATION.open_fold("shardId-000000000000"), WHOLE_SPACE)
    for start in range(0, len(earlier), PER_BATCH):
        state.apply(list(opened([_record(start + n, event) for n, event in enumerate(earlier[start : start + PER_BATCH])])))
    state.snapshot()
    state.fold.effects(flush=True)
    lines = daemon_lines(counted, per_batch=PER_BATCH, per_record=PER_RECORD)
    return with_the_childs_collector(lambda: cpu_rate(_COUNT, lambda: fold(state, lines)))


def _record(number: int, event: AnyEvent) -> Record:
    return Record(events.encode(event), event.user_id, str(number), 0, event.occurred_at + 100)


def table(measured: Mapping[str, Mapping[int, Reading]]) -> str:
    """Markdown: what an event costs at each size."""
    lines = ["| what grows | size | CPU µs per event | against the size before | also |", "|---|---|---|---|---|"]
    for what, by_size in measured.items():
        before: float | None = None
        for size, reading in by_size.items():
            cost = 1e6 / reading.figure
            against = "" if before is None else f"{cost / before:.2f}"
            also = ", ".join(f"{name} {value:,.0f}" for name, value in reading.extra.items() if name != "wall")
            lines.append(f"| {what} | {size:,} | {cost:.2f} | {against} | {also} |")
            before = cost
    return "\n".join(lines)


@click.command()
@click.option("--write-docs", is_flag=True, help="Also bring docs/reference/growth.md up to date.")
@click.option("--rounds", default=3, show_default=True, help="Of each size of what is measured in process; the best counts.")
def main(write_docs: bool, rounds: int) -> None:
    """Measure each size once through; print a table."""
    measured: dict[str, dict[int, Reading]] = {}
    for what, sizes, run, times in (
        ("active visitors of a shard", USERS, with_users, rounds),
        ("minutes that late events fall into", WINDOWS, with_windows, rounds),
        ("shards of a worker", SHARDS, with_shards, 1),
    ):
        measured[what] = {}
        for size in sizes:
            measured[what][size] = max((run(size) for _ in range(times)), key=lambda reading: reading.figure)
            click.echo(f"{what}: {size:,}: {1e6 / measured[what][size].figure:.2f} µs", err=True)
    click.echo(table(measured))
    if write_docs:
        documents.write_growth(table(measured), documents.PAGES)


if __name__ == "__main__":
    main()
