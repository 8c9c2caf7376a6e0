"""Everything a run sends, in order: arrivals in time, visitors' events, faults among them. Pure and seeded."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from load.faults import Emission, Faults, Rates
from load.generator import Shop, Visitors


def arrivals(seed: int, rate: float) -> Iterator[int]:
    """Intended send times in microseconds after the start: a Poisson process of ``rate`` records per second, endless."""
    random = Random(f"arrivals {seed}")
    at = 0.0
    while True:
        at += exponential(random) / rate
        yield int(at * 1_000_000)


def exponential(random: Random) -> float:
    """One draw of mean 1 by von Neumann's comparisons: a logarithm may differ in its last bit between machines."""
    draw = random.random
    whole = 0
    while True:
        first = lowest = draw()
        falling = 1
        while (following := draw()) < lowest:
            lowest = following
            falling += 1
        if falling % 2:
            return whole + first
        whole += 1


class Traffic:
    """One run's records. Call ``emit`` once per arrival."""

    def __init__(self, seed: int, shop: Shop, rates: Rates) -> None:
        self._visitors = Visitors(seed, shop)
        self._faults = Faults(seed, rates)

    def emit(self, at_ms: int) -> Emission:
        """The record to be sent at a time (milliseconds since the epoch)."""
        return self._faults.retry() or self._faults.spoil(self._visitors.next_event(at_ms))
