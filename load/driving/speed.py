"""How many records the generator alone makes per second of CPU time on one core: ``python -m load.driving.speed``.

Arrivals, visitors, adversaries, faults and JSON included; nothing is sent. CPU time, so that a busy machine tells the same.
"""

from __future__ import annotations

import sys
import time

from load.driving.plan import Plan
from load.traffic.profiles import PROFILES

_T0_MS = 1_700_000_000_000


def per_second(profile: str, records: int = 240_000) -> float:
    """Records per second of CPU time."""
    plan = Plan(rate=2_000, duration_s=records / 2_000, seed=7, profile=profile)
    started = time.process_time()
    made = sum(1 for _ in plan.emissions(_T0_MS))
    return made / (time.process_time() - started)


def main() -> None:
    for profile in PROFILES:
        sys.stdout.write(f"{profile:14} {per_second(profile):10,.0f} records/s\n")


if __name__ == "__main__":
    main()
