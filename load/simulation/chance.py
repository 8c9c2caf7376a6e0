"""Whether a fault strikes now: asked at every place where one can, counted, and switched off for the final drain."""

from __future__ import annotations

from collections import Counter
from random import Random

from clickstream.load.simulation.plan import Plan


class Chance:
    """One stream of randomness per domain, so that switching one kind of fault off leaves the others much as they were."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.on = True
        self.counts: Counter[str] = Counter()
        self._faults = Random(f"faults {plan.seed}")
        self._latency = Random(f"latency {plan.seed}").random

    def strikes(self, fault: str, rate: float) -> bool:
        if not self.on or rate == 0.0 or self._faults.random() >= rate:
            return False
        self.counts[fault] += 1
        return True

    def latency_ms(self, most_ms: int = 12) -> int:
        """One way of a call, sometimes far longer than usual."""
        if self.strikes("slow", self.plan.slow):
            return int(100 * most_ms * self._latency())
        return 1 + int(most_ms * self._latency())
