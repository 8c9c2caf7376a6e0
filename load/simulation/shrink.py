"""A failing world made small: fewer faults and fewer events, for as long as it fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from clickstream.load.simulation.plan import FAULTS, Plan

#: What else makes a world simpler: field → the simplest value.
SIMPLEST = {
    "records": ("single",),
    "burst": 1,
    "fold_ms": 0,
    "workers": 1,
    "shards": 1,
    "users": 1,
    "pipelined": 0.0,
    "graceful_handoff": False,
    "range_filter": "off",
}


def shrink(plan: Plan, fails: Callable[[Plan], bool], *, most_runs: int = 150) -> Plan:
    """The simplest plan found that still fails; each step takes one thing away, in turn, until nothing more can go."""
    runs = 0
    progress = True
    while progress:
        progress = False
        for simpler in _simpler(plan):
            if runs == most_runs:
                return plan
            runs += 1
            if fails(simpler):
                plan, progress = simpler, True
                break
    return plan


def _simpler(plan: Plan) -> Iterator[Plan]:
    for fault in FAULTS:
        value = getattr(plan, fault)
        if value:
            yield msgspec.structs.replace(plan, **{fault: type(value)(0)})
    if plan.events > 2 * plan.users:
        yield msgspec.structs.replace(plan, events=plan.events // 2)
    if len(plan.records) > 1:
        for slot in range(len(plan.records)):
            yield msgspec.structs.replace(plan, records=plan.records[:slot] + plan.records[slot + 1 :])
    for field, value in SIMPLEST.items():
        if getattr(plan, field) != value:
            yield msgspec.structs.replace(plan, **{field: value})
    for fault in ("crashes", "stops", "reshards", "outages", "poison", "raw", "publisher_crashes"):
        if getattr(plan, fault) > 1:
            yield msgspec.structs.replace(plan, **{fault: getattr(plan, fault) - 1})


def changes(plan: Plan, original: Plan) -> dict[str, object]:
    """What was taken away, as the command line takes it."""
    before, after = msgspec.structs.asdict(original), msgspec.structs.asdict(plan)
    return {field: value for field, value in after.items() if value != before[field]}
