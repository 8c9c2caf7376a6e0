"""Two days of the past sorted by visitor: exact through whatever happens to shards, and each row written about once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from clickstream.consumers.analytics import aggregate_rows
from clickstream.consumers.analytics.aggregate_rows import MOVING
from clickstream.consumers.analytics.needs import NEEDS
from clickstream.consumers.analytics.windows import start_of
from clickstream.consumers.analytics.wiring import APPLICATION
from clickstream.events import AnyEvent, ProductView, Purchase
from clickstream.load.benchmarks.folding.counted import Delivery, count
from clickstream.load.proving.world import World
from clickstream.load.simulation.fleet.shard_process import record
from clickstream.load.simulation.world import quiet
from clickstream.load.traffic.plan import Plan

NOW_MS = 1_800_000_000_000


def backfill(events: int) -> list[AnyEvent]:
    plan = Plan(rate=100, duration_s=events / 100, profile="backfill", faults=False)
    found = [emission.event for _, emission in plan.emissions(NOW_MS) if emission.event is not None]
    users = [event.user_id for event in found]
    assert users == sorted(users), "by visitor"
    assert max(event.occurred_at for event in found) - min(event.occurred_at for event in found) > 47 * 3_600_000
    return found


def told(items: list[dict[str, Any]]) -> dict[tuple[str, int], Counter[str]]:
    """By stored window; the funnel is not among it, since sessions of the past pause for as long as their visitors do."""
    found: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for item in items:
        width, _, _ = item["window"].partition("#")
        if width != MOVING:
            row = aggregate_rows.decode(item["partial"])
            measures = {**row.events, **row.revenue, **{f"viewed {key}": n for key, n in row.tallies[0].counts.items()}}
            found[width, start_of(item["part"])].update(measures)
    return found


def truth(events: list[AnyEvent]) -> dict[tuple[str, int], Counter[str]]:
    """Shares nothing with the fold."""
    found: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for event in events:
        for width, ms in (("minute", 60_000), ("hour", 3_600_000)):
            window = found[width, event.occurred_at // ms * ms]
            window[str(type(event).__struct_config__.tag)] += 1
            if isinstance(event, Purchase):
                window[event.currency] += event.amount
            if isinstance(event, ProductView):
                window[f"viewed {event.product_id}"] += 1
    return found


@pytest.mark.parametrize("seed", range(2))
def test_it_is_exact_through_kills_a_split_and_a_merge(seed: int) -> None:
    events, chance = backfill(800), Random(seed)
    happen = dict(zip(sorted(chance.sample(range(50, 700), 4)), ("kill", "split", "merge", "kill"), strict=True))
    with quiet():
        world = World(APPLICATION, NEEDS, shards=2, now_ms=NOW_MS)
        for number, event in enumerate(events):
            world.now_ms += chance.choice((0, 5, 300))
            world.feed(event)
            if what := happen.get(number):
                getattr(world, what)()
        assert told(world.rows("aggregates")) == truth(events)


def test_a_row_is_written_about_once() -> None:
    events = backfill(4_000)
    records = [record(event, number, arrived_ms=NOW_MS) for number, event in enumerate(events)]
    start_ms = 1_764_000_000_000 + 86_400_000
    deliveries = [Delivery(start_ms + 2 * at, records[at : at + 100]) for at in range(0, len(records), 100)]
    with quiet():
        written = count(deliveries, drained=True)
    windows = Counter[str]()
    for width, name in ((60_000, "minute"), (3_600_000, "hour")):
        windows[name] = len({event.occurred_at // width for event in events})
    assert written.calls["minute"] < 1.2 * windows["minute"]  # some have a late part as well
    assert written.calls["hour"] < 2.5 * windows["hour"]
    assert written.calls["moving"] <= len(deliveries)


def test_who_takes_a_shard_over_writes_again_only_what_was_held_back() -> None:
    """Not a row for each window of two days."""
    events = backfill(800)
    fold, heir = APPLICATION.open_fold("shard"), APPLICATION.open_fold("shard")
    fold.apply(events[:600])
    fold.effects(flush=True)
    states = [fold.snapshot()]
    for start in range(600, 800, 100):
        fold.apply(events[start : start + 100])
        fold.effects(flush=False)
        states.append(fold.changes())
    for state in states:
        heir.restore(state, None)
    assert keys(heir.effects(flush=True)) == keys(fold.effects(flush=True))


def keys(rows: Sequence[Any]) -> set[tuple[str, str]]:
    assert 50 < len(rows) < 500
    return {(row.window, row.part) for row in rows if row.window != MOVING}
