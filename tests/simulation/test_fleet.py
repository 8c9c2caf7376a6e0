"""The simulator in `make test`: some hundred worlds, and that a seed replays exactly."""

from __future__ import annotations

import os
import subprocess
import sys

import msgspec
import pytest

from clickstream.load.simulation.plan import draw
from clickstream.load.simulation.shrink import changes, shrink
from clickstream.load.simulation.world import quiet, simulate
from tests.simulation.planting.bugs import planted

SEEDS = 300
PART = 50


@pytest.mark.parametrize("first", range(0, SEEDS, PART))
def test_no_fault_loses_or_doubles_anything(first: int) -> None:
    with quiet():
        broken = {seed: problems[:3] for seed in range(first, first + PART) if (problems := simulate(draw(seed)).problems)}
    assert not broken, f"replay with: make simulate SEED={min(broken)}"


@pytest.mark.parametrize("seed", [3, 7, 21])
def test_a_seed_replays_exactly(seed: int) -> None:
    """In processes of their own, with different string hashes."""
    traces = []
    for hash_seed in ("1", "2"):
        command = [sys.executable, "-m", "clickstream.load.simulation", "--seed", str(seed), "--trace"]
        run = subprocess.run(
            command, capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": hash_seed}, check=True
        )
        traces.append(run.stderr)
    assert len(traces[0]) > 1000
    assert traces[0] == traces[1]


def test_a_failing_world_is_made_smaller_and_still_fails() -> None:
    with quiet(), planted("failed_record_count_ignored"):
        # without reshards: what is ignored there is where a record went, which no refusal in part is needed for
        plans = (draw(seed) for seed in range(100))
        plan = next(plan for plan in plans if not plan.reshards and simulate(plan).problems)
        small = shrink(plan, lambda simpler: bool(simulate(simpler).problems), most_runs=60)
        assert simulate(small).problems
    assert small.put_partial > 0, "the fault that the bug needs stays"
    assert changes(small, plan)
    assert msgspec.convert(msgspec.structs.asdict(plan) | changes(small, plan), type(plan)) == small
