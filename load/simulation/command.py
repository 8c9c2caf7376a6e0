"""Many simulated worlds, or one with its trace. One JSON summary on stdout, progress on stderr."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import NamedTuple

import click
import msgspec

from clickstream.errors import UserMistake
from clickstream.load.simulation.aws.stores import NotSimulated
from clickstream.load.simulation.foreign import Foreign, load
from clickstream.load.simulation.plan import Plan, draw, draw_own
from clickstream.load.simulation.shrink import changes, shrink
from clickstream.load.simulation.world import Outcome, quiet
from clickstream.load.simulation.world import simulate as run_world

CHUNK = 50


class Summary(msgspec.Struct, kw_only=True):
    """What a chunk of seeds, or all of them, came to."""

    seeds: int = 0
    events: int = 0
    faults: Counter[str] = msgspec.field(default_factory=Counter)
    failures: dict[int, list[str]] = {}

    def add(self, other: Summary) -> None:
        self.seeds += other.seeds
        self.events += other.events
        self.faults.update(other.faults)
        self.failures |= other.failures


def run_chunk(seeds: range, module: str) -> Summary:
    """In a process of its own."""
    summary = Summary()
    fleets = Fleets.of(module)
    with quiet():
        for seed in seeds:
            outcome = fleets.run(fleets.draw(seed))
            summary.add(Summary(seeds=1, events=outcome.events, faults=Counter(outcome.faults)))
            if outcome.problems:
                summary.failures[seed] = outcome.problems[:5]
    return summary


class Fleets(NamedTuple):
    """What is simulated: a foreign application, or ours."""

    foreign: Foreign | None
    again: str
    """The command that runs one of its seeds again."""

    @classmethod
    def of(cls, module: str) -> Fleets:
        if not module:
            return cls(None, "python -m clickstream.load.simulation")
        return cls(load(module), f"clickstream simulate {module}")

    def draw(self, seed: int) -> Plan:
        return draw(seed) if self.foreign is None else draw_own(seed)

    def run(self, plan: Plan, *, trace: bool = False) -> Outcome:
        return run_world(plan, self.foreign, trace=trace)


@click.command()
@click.argument("module", default="")
@click.option("--seeds", default=1_000, show_default=True, help="How many worlds to simulate.")
@click.option("--from", "first", default=0, help="The first seed.")
@click.option("--processes", default=0, help="Worlds simulated side by side; 0: one per core.")
@click.option("--seed", type=int, help="Simulate this seed alone.")
@click.option("--trace", is_flag=True, help="With --seed: print everything that happens, on stderr.")
@click.option("--plan", "overrides", default="{}", help="With --seed: fields of the plan to change, as JSON.")
def simulate(module: str, seeds: int, first: int, processes: int, seed: int | None, trace: bool, overrides: str) -> int:
    """Fleets of workers under faults on virtual time, and what MODULE's application makes of them.

    Each seed is a world: crashes, zombies, reshards, outages, lost answers, repeated and hostile records. What the application
    has stored and sent must be what a clean replay of the stream gives. Without MODULE our own applications run. Exit code 1
    when a promise was broken; the seed is shown with the smallest world that still breaks it. Nothing but CPU is used.

    \b
    Example:
      clickstream simulate my_shop.wishlist --seeds 1000
      clickstream simulate my_shop.wishlist --seed 123 --trace
    """
    try:
        fleets = Fleets.of(module)
        if seed is not None:
            return _one(fleets, _plan(fleets, seed, overrides), trace=trace)
        return _many(fleets, module, range(first, first + seeds), processes or os.cpu_count() or 1)
    except NotSimulated as call:
        raise UserMistake(str(call), hint="what is stands in clickstream/load/simulation/aws/stores.py") from call


def _plan(fleets: Fleets, seed: int, overrides: str) -> Plan:
    fields = msgspec.structs.asdict(fleets.draw(seed)) | json.loads(overrides)
    return msgspec.convert(fields, Plan)


def _one(fleets: Fleets, plan: Plan, *, trace: bool) -> int:
    with quiet():
        outcome = fleets.run(plan, trace=trace)
    for line in outcome.trace:
        click.echo(line, err=True)
    click.echo(msgspec.json.encode(msgspec.structs.replace(outcome, trace=[])).decode())
    return 1 if outcome.problems else 0


def _many(fleets: Fleets, module: str, seeds: range, processes: int) -> int:
    started = time.monotonic()
    total = Summary()
    with ProcessPoolExecutor(processes) as pool:
        for future in as_completed([pool.submit(run_chunk, chunk, module) for chunk in _chunks(seeds)]):
            part = future.result()
            for seed in part.failures:
                click.echo(f"seed {seed} fails: {fleets.again} --seed {seed} --trace", err=True)
            total.add(part)
            _progress(total, len(seeds), started)
    click.echo(err=True)
    for seed in sorted(total.failures)[:3]:
        _explain(fleets, seed)
    click.echo(
        json.dumps(
            {
                "seeds": total.seeds,
                "events": total.events,
                "seconds": round(time.monotonic() - started, 1),
                "faults": dict(sorted(total.faults.items())),
                "failures": {str(seed): total.failures[seed] for seed in sorted(total.failures)},
            }
        )
    )
    return 1 if total.failures else 0


def _chunks(seeds: range) -> Iterator[range]:
    for start in range(seeds.start, seeds.stop, CHUNK):
        yield range(start, min(start + CHUNK, seeds.stop))


def _progress(total: Summary, seeds: int, started: float) -> None:
    rate = total.seeds / max(0.001, time.monotonic() - started)
    line = f"{total.seeds:,} of {seeds:,} seeds, {rate:.0f}/s, {len(total.failures)} failed"
    click.echo(f"\r{line}" if sys.stderr.isatty() else line, nl=not sys.stderr.isatty(), err=True)


def _explain(fleets: Fleets, seed: int) -> None:
    """The command that replays a failing seed, and the smallest variant of it that still fails."""
    plan = fleets.draw(seed)
    with quiet():
        small = shrink(plan, lambda simpler: bool(fleets.run(simpler).problems))
        outcome = fleets.run(small)
    again = f"{fleets.again} --seed {seed} --trace"
    click.echo(f"seed {seed} fails: {again}\n  smaller: {again} --plan '{json.dumps(changes(small, plan))}'", err=True)
    for problem in outcome.problems[:5]:
        click.echo(f"  {problem}", err=True)
