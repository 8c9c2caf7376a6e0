"""``python -m tests.simulation.planted`` plants every bug and counts the seeds until it is caught.

It writes the table of docs/explanation/simulation.md.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from clickstream.load.simulation.plan import draw
from clickstream.load.simulation.world import quiet, simulate
from tests.simulation.planting import block_bugs, found_bugs, hostile_bugs
from tests.simulation.planting.bugs import BUGS, planted

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "simulation.md"
BEGIN, END = "<!-- planted bugs: measured -->", "<!-- planted bugs: end -->"
MOST_SEEDS = 1_000
_KINDS = {found_bugs.__name__: "found", hostile_bugs.__name__: "hostile", block_bugs.__name__: "records"}


def caught_by(name: str, seed: int) -> str | None:
    """The first problem that a seed shows."""
    with quiet(), planted(name):
        return next(iter(simulate(draw(seed)).problems), None)


def seeds_until_caught(name: str) -> tuple[int, str] | None:
    """How many seeds it takes, from seed 0, and the first problem; None when no seed shows it."""
    tried = ((seed + 1, caught_by(name, seed)) for seed in range(MOST_SEEDS))
    return next(((seeds, problem) for seeds, problem in tried if problem is not None), None)


def counted() -> dict[str, int]:
    """What the page says: bug → seeds until it was caught."""
    listed = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in listed.splitlines() if line.startswith("| ")]
    return {name: int(seeds) for name, *_, seeds in rows[1:]}


def table(seeds: Mapping[str, int]) -> str:
    rows = [
        f"| {name} | {_KINDS.get(bug.__module__, 'classic')} | {(bug.__doc__ or '').strip()} | {seeds[name]} |"
        for name, bug in BUGS.items()
    ]
    return "\n".join(["| bug | kind | what is wrong | seeds |", "|---|---|---|---|", *rows])


def main() -> int:
    seeds: dict[str, int] = {}
    for name in BUGS:
        caught = seeds_until_caught(name)
        if caught is None:
            click.echo(f"{name} was not caught in {MOST_SEEDS} seeds", err=True)
            return 1
        seeds[name], problem = caught
        click.echo(f"{name}: {seeds[name]} seeds: {problem}", err=True)
    head = ["git", "rev-parse", "--short=10", "HEAD"]
    commit = subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    when = f"Counted {datetime.now(UTC):%Y-%m-%d} at commit {commit}."
    PAGE.write_text(f"{before}{BEGIN}\n{when}\n\n{table(seeds)}\n{END}{after}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
