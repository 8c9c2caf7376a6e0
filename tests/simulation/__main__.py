"""``python -m tests.simulation``: many seeds, or one with its trace. One JSON summary on stdout, progress on stderr."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed

import click
import msgspec

from tests.simulation.plan import Plan, draw
from tests.simulation.shrink import changes, shrink
from tests.simulation.world import Outcome, quiet, simulate

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


def run_chunk(seeds: range) -> Summary:
    """In a process of its own."""
    summary = Summary()
    with quiet():
        for seed in seeds:
            outcome = simulate(draw(seed))
            summary.add(Summary(seeds=1, events=outcome.events, faults=Counter(outcome.faults)))
            if outcome.problems:
                summary.failures[seed] = outcome.problems[:5]
    return summary


@click.command()
@click.option("--seeds", default=0, help="How many seeds to run.")
@click.option("--from", "first", default=0, help="The first of them.")
@click.option("--processes", default=0, help="0: one per core.")
@click.option("--seed", type=int, help="One seed alone.")
@click.option("--trace", is_flag=True, help="With --seed: print everything that happens, on stderr.")
@click.option("--plan", "overrides", default="{}", help="With --seed: fields of the plan to change, as JSON.")
def main(seeds: int, first: int, processes: int, seed: int | None, trace: bool, overrides: str) -> None:
    """Simulate fleets under faults; exit code 1 when a promise was broken."""
    if seed is not None:
        sys.exit(_one(_plan(seed, overrides), trace=trace))
    sys.exit(_many(range(first, first + (seeds or 1_000)), processes or os.cpu_count() or 1))


def _plan(seed: int, overrides: str) -> Plan:
    fields = msgspec.structs.asdict(draw(seed)) | json.loads(overrides)
    return msgspec.convert(fields, Plan)


def _one(plan: Plan, *, trace: bool) -> int:
    with quiet():
        outcome = simulate(plan, trace=trace)
    for line in outcome.trace:
        click.echo(line, err=True)
    click.echo(msgspec.json.encode(msgspec.structs.replace(outcome, trace=[])).decode())
    return 1 if outcome.problems else 0


def _many(seeds: range, processes: int) -> int:
    started = time.monotonic()
    total = Summary()
    with ProcessPoolExecutor(processes) as pool:
        for future in as_completed([pool.submit(run_chunk, chunk) for chunk in _chunks(seeds)]):
            part = future.result()
            for seed in part.failures:
                click.echo(f"seed {seed} fails: make simulate SEED={seed}", err=True)
            total.add(part)
            _progress(total, len(seeds), started)
    click.echo(err=True)
    for seed in sorted(total.failures)[:3]:
        _explain(seed)
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


def _explain(seed: int) -> None:
    """The command that replays a failing seed, and the smallest variant of it that still fails."""
    plan = draw(seed)
    with quiet():
        small = shrink(plan, lambda simpler: bool(simulate(simpler).problems))
        outcome: Outcome = simulate(small)
    click.echo(f"seed {seed} fails: make simulate SEED={seed}", err=True)
    click.echo(
        f"  smaller: python -m tests.simulation --seed {seed} --trace --plan '{json.dumps(changes(small, plan))}'", err=True
    )
    for problem in outcome.problems[:5]:
        click.echo(f"  {problem}", err=True)


if __name__ == "__main__":
    main()
