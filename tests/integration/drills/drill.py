"""A seeded sequence of faults over one continuous load: after each, every shard must move again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from random import Random

import msgspec

from tests.integration.drills.faults import FAULTS
from tests.integration.drills.harm import nothing_to_repair
from tests.integration.drills.rig.shards import now_ms
from tests.integration.drills.rig.site import Site

#: Nobody would wait longer than this for a shard.
STANDSTILL_S = 120.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One fault."""

    number: int
    kind: str
    what: str
    moved_s: float
    """Until every open shard had a durable record that arrived after the fault (after its end, for an outage)."""
    after_end_s: float
    """The same, from the fault's end on: from the repair where there is one (a sleeping worker wakes, a clock is right)."""
    staffed: bool
    """Whether all workers had shards again before the next fault."""


def sequence(kinds: Sequence[str], count: int, seed: int) -> Iterator[str]:
    """``count`` kinds in random order, each as often as the others (give or take one)."""
    random = Random(f"sequence {seed}")
    bag: list[str] = []
    for _ in range(count):
        if not bag:
            bag = list(kinds)
            random.shuffle(bag)
        yield bag.pop()


def run(site: Site, kinds: Sequence[str], *, seed: int, tell: Callable[[Outcome], None]) -> list[Outcome]:
    """Inject one fault after the other; raises Standstill when the shards do not move again."""
    outcomes = []
    for number, kind in enumerate(kinds, start=1):
        # its own chance for each: a single fault of a long sequence can be replayed alone
        outcome = _inject(site, number, kind, Random(f"{seed} {number} {kind}"))
        tell(outcome)
        outcomes.append(outcome)
    return outcomes


def _inject(site: Site, number: int, kind: str, random: Random) -> Outcome:
    site.check()
    began = time.monotonic()
    injected = FAULTS[kind](site, random)
    after_end_s = moved_s = site.shards.wait_until_moving(injected.since_ms, timeout_s=STANDSTILL_S)
    if injected.repair is not nothing_to_repair:
        time.sleep(max(0.0, began + injected.at_least_s - time.monotonic()))
        injected.repair()
        after_end_s = site.shards.wait_until_moving(now_ms(), timeout_s=STANDSTILL_S)
    return Outcome(
        number=number,
        kind=kind,
        what=injected.what,
        moved_s=moved_s,
        after_end_s=after_end_s,
        staffed=site.wait_until_staffed(),
    )
