"""When records are to be sent: a Poisson process whose rate may change, or follow a recorded trace. Pure and seeded."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from random import Random

from clickstream.load.traffic.profiles import Curve

RateAt = Callable[[float], float]
"""Seconds after the start → records per second."""

#: A changing rate is looked at anew after so many seconds.
_STEP_S = 0.05
#: A ramp begins at this share of the rate.
_RAMP_FROM = 0.02


def arrivals(seed: int | str, rate: float | RateAt) -> Iterator[int]:
    """Intended send times in microseconds after the start, endless as long as the rate is not zero for ever."""
    random = Random(f"arrivals {seed}")
    at = 0.0
    if not callable(rate):
        while True:
            at += exponential(random) / rate
            yield int(at * 1_000_000)
    number, now = 1, rate(0.0)
    while True:
        # a Poisson process in a time that runs as fast as the rate says
        left = exponential(random)
        while left > (until_next := (number * _STEP_S - at) * now):
            left -= max(0.0, until_next)
            at = number * _STEP_S
            number, now = number + 1, rate(at)
        at += left / now if left else 0.0
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


def shaped(rate: float, curve: Curve, duration_s: float, ramp_s: float) -> float | RateAt:
    """A curve over a run of ``duration_s``; during the first ``ramp_s`` seconds the rate grows from almost nothing."""
    flat = all(weight == curve[0][1] for _, weight in curve)
    if flat and not ramp_s:
        return rate * curve[0][1]
    places = [place for place, _ in curve]

    def at(seconds: float) -> float:
        share = min(1.0, seconds / duration_s)
        right = min(bisect_right(places, share), len(curve) - 1)
        (start, before), (end, after) = curve[right - 1], curve[right]
        value = rate * (before + (after - before) * (share - start) / (end - start))
        return value * max(_RAMP_FROM, seconds / ramp_s) if seconds < ramp_s else value

    return at


def traced(counts: Sequence[float], times: float) -> RateAt:
    """A recorded trace, one count a second, at ``times`` its rate; after its end it begins again."""

    def at(seconds: float) -> float:
        return counts[int(seconds) % len(counts)] * times

    return at
