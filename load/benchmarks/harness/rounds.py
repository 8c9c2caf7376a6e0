"""The rounds of a benchmark, and what they come to: whatever a side does, there is a result."""

from __future__ import annotations

import statistics
import time
import traceback
from collections import Counter
from collections.abc import Callable
from math import inf
from typing import TypeVar

import msgspec

from clickstream.failures.explaining import explain
from clickstream.load.benchmarks.harness.bounded import TimeIsUp
from clickstream.load.benchmarks.harness.measure import Benchmark, Reading, Side, Unavailable, Unmeasured
from clickstream.load.benchmarks.harness.result import Result

T = TypeVar("T")


class Failure(msgspec.Struct, frozen=True):
    """Why a call came to nothing, for a person; ``final``: another one would not fare better."""

    why: str
    final: bool = True


def tried(call: Callable[[], T]) -> T | Failure:
    """What the call returns, or why it does not; Ctrl-C alone goes through."""
    try:
        return call()
    except Unmeasured as error:
        return Failure(str(error), final=False)
    except Unavailable as error:
        return Failure(f"cannot be had here: {error}")
    except TimeIsUp:
        return Failure("did not end in time")
    except Exception as error:  # noqa: BLE001  # whatever it is, the other benchmarks go on
        traceback.print_exc()
        return Failure(explain(error).message)


class _Watched:
    """A side, round by round; why it came to nothing, if it did. A crash or a hang ends it."""

    def __init__(self, name: str, side: Side, run: Callable[[Side], Reading], unit: str) -> None:
        self._name = name
        self._side = side
        self._run = run
        self._unit = unit
        self.ended = False
        self.readings: list[Reading] = []
        self.reasons: Counter[str] = Counter()

    def take(self) -> Reading | None:
        if self.ended:
            return None
        reading = tried(lambda: self._run(self._side))
        if isinstance(reading, Failure):
            self.ended = reading.final
            self._note(reading.why)
            return None
        if reading.figure <= 0:
            self._note(f"came to {reading.figure:g} {self._unit}")
        return reading

    def _note(self, why: str) -> None:
        self.reasons[f"{self._name}: {why}"] += 1

    def median(self) -> float | None:
        return statistics.median(reading.figure for reading in self.readings) if self.readings else None

    def extra(self, prefix: str) -> dict[str, float]:
        names = dict.fromkeys(name for reading in self.readings for name in reading.extra)
        return {
            f"{prefix} {name}": statistics.median(reading.extra[name] for reading in self.readings if name in reading.extra)
            for name in names
        }


def measure(
    benchmark: Benchmark,
    *,
    rounds: int,
    report: Callable[[int, Reading | None, Reading | None], None],
    load_average: Callable[[], float],
    run: Callable[[Side], Reading] = lambda side: side(),
    clock: Callable[[], float] = time.monotonic,
    seconds: float = inf,
) -> Result:
    """Both sides in turn, after a round that is not counted; a drift of the machine hits both alike.

    A side that comes to nothing is a result too: the other is measured all the same. ``run`` calls a side, and raises TimeIsUp
    when that takes too long; no round begins that would probably end after so many ``seconds``.
    """
    before, began = load_average(), clock()
    ours = _Watched("ours", benchmark.ours, run, benchmark.unit)
    peer = _Watched("the peer", benchmark.peer, run, benchmark.unit)
    if benchmark.warm_up:
        ours.take()
        peer.take()
        for side in (ours, peer):
            if not side.ended:
                side.reasons.clear()  # what does not count may come to nothing
    ratios: list[float] = []
    counted = 0
    longest = 0.0
    for number in range(benchmark.rounds or rounds):
        started = clock()
        if (ours.ended and peer.ended) or (number and started - began + longest > seconds):
            break
        # the side that goes first changes, so that neither always runs on the other's warm or busy machine
        first, second = (peer, ours) if number % 2 else (ours, peer)
        taken = {first: first.take(), second: second.take()}
        for side, reading in taken.items():
            if reading is not None:
                side.readings.append(reading)
        found = ratio(benchmark, taken[ours], taken[peer])
        if found is not None:
            ratios.append(found)
        report(number, taken[ours], taken[peer])
        counted += 1
        longest = max(longest, clock() - started)
    return Result(
        ours=ours.median(),
        peer=peer.median(),
        unit=benchmark.unit,
        ratio=statistics.median(ratios) if ratios else None,
        spread=(min(ratios), max(ratios)) if ratios else None,
        aim=benchmark.aim,
        least=benchmark.least,
        within=benchmark.within,
        better=benchmark.better,
        peer_name=benchmark.peer_name,
        what=benchmark.what,
        fairness=benchmark.fairness,
        clock=benchmark.clock,
        rounds=counted,
        load_average=(round(before, 2), round(load_average(), 2)),
        extra=ours.extra("ours") | peer.extra("peer"),
        reasons=tuple(
            why if times == counted or side.ended else f"{why} ({times} of {counted} rounds)"
            for side in (ours, peer)
            for why, times in side.reasons.items()
        ),
    )


def ratio(benchmark: Benchmark, ours: Reading | None, peer: Reading | None) -> float | None:
    """By how much ours is the better; None when there is no figure to divide, or none to divide by."""
    if ours is None or peer is None:
        return None
    better, worse = (ours, peer) if benchmark.better == "more" else (peer, ours)
    return better.figure / worse.figure if worse.figure > 0 else None
