"""The arithmetic of a benchmark: rounds, ratios, aims and rates. No timing is asserted anywhere."""

from __future__ import annotations

import gc
import signal
import threading

import msgspec
import pytest

from clickstream.load.benchmarks.harness import bounded, profiled
from clickstream.load.benchmarks.harness.measure import Reading, Unavailable, Unmeasured, cpu_rate, per_second
from clickstream.load.benchmarks.harness.rounds import measure
from tests.unit.load.benchmarks.fixed_figures import benchmark, measured, side


def test_the_first_pair_is_not_counted_and_the_sides_take_turns_in_going_first() -> None:
    result, calls = measured([999, 10, 20, 30], [1, 5, 5, 5], rounds=3)

    assert calls == ["ours", "peer", "ours", "peer", "peer", "ours", "ours", "peer"]
    assert (result.ours, result.peer, result.rounds) == (20, 5, 3)
    assert (result.ratio, result.spread) == (4, (2, 6))
    assert result.verdict == "yes"


def test_the_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_the_medians() -> None:
    result, _ = measured([1, 10, 40, 90], [1, 10, 10, 100], rounds=3)

    assert result.ratio == 1.0
    assert (result.ours, result.peer) == (40, 10)
    assert result.verdict == "no"


def test_a_slow_benchmark_says_its_own_number_of_rounds_and_what_else_was_seen_is_kept() -> None:
    result, calls = measured([1, 3], [1, 2], rounds=5, own_rounds=1)

    assert len(calls) == 4
    assert result.extra == {"ours doubled": 6, "peer doubled": 4}
    assert result.load_average == (0.5, 1.25)


@pytest.mark.parametrize(("bounds", "reached"), [((5, 6), "yes"), ((0, 5.9), "no"), ((6.1, 9), "no")])
def test_an_aim_is_reached_only_in_every_respect(bounds: tuple[float, float], reached: str) -> None:
    result, _ = measured([1, 3], [1, 1], rounds=1)

    assert msgspec.structs.replace(result, within={"ours doubled": bounds}).verdict == reached
    assert msgspec.structs.replace(result, within={"ours doubled": bounds}, ratio=1.0).verdict == "no"


def test_where_less_is_better_a_ratio_above_one_still_means_that_ours_wins() -> None:
    calls: list[str] = []
    made = benchmark(
        side("ours", [4, 5], calls),
        side("peer", [20, 10], calls),
        better="less",
        least=0,
        within={"ours doubled": (0, 10)},
        warm_up=False,
    )
    result = measure(made, rounds=2, report=lambda *_: None, load_average=lambda: 0.0)

    assert calls == ["ours", "peer", "peer", "ours"]
    assert (result.ratio, result.spread) == (3.5, (2, 5))
    assert result.margin == 10 / 9
    assert msgspec.structs.replace(result, within={"ours doubled": (0, 8.9)}).verdict == "no"


def test_an_aim_of_none_is_missed_by_one() -> None:
    result, _ = measured([1, 8], [1, 1], rounds=1)
    lost = msgspec.structs.replace(result, within={"lost": (0, 0)})

    assert msgspec.structs.replace(lost, extra={"lost": 0}).verdict == "yes"
    assert msgspec.structs.replace(lost, extra={"lost": 1}).verdict == "no"


@pytest.mark.parametrize(
    ("better", "ours", "peer", "ratio", "reasons"),
    [
        ("more", 3, 0, None, ("the peer: came to 0 events/s",)),
        ("more", 0, 3, 0, ("ours: came to 0 events/s",)),
        ("less", 0, 3, None, ("ours: came to 0 events/s",)),
        ("less", 3, 0, 0, ("the peer: came to 0 events/s",)),
    ],
)
def test_a_side_that_came_to_nothing_is_told_and_not_divided_by(
    better: str, ours: float, peer: float, ratio: float | None, reasons: tuple[str, ...]
) -> None:
    calls: list[str] = []
    made = benchmark(side("ours", [1, ours], calls), side("peer", [1, peer], calls), better=better)

    result = measure(made, rounds=1, report=lambda *_: None, load_average=lambda: 0.0)

    assert (result.ours, result.peer, result.ratio, result.reasons) == (ours, peer, ratio, reasons)
    assert result.verdict == ("unknown" if ratio is None else "no")


def test_a_figure_without_a_peer_is_still_judged_by_its_bounds() -> None:
    made = benchmark(lambda: Reading(10, {"ms": 5}), _away, within={"ours ms": (0, 4)})

    result = measure(made, rounds=3, report=lambda *_: None, load_average=lambda: 0.0)

    assert (result.ours, result.peer, result.rounds) == (10, None, 3)
    assert result.reasons == ("the peer: cannot be had here: no compiler",)
    assert result.verdict == "no"
    assert msgspec.structs.replace(result, within={"ours ms": (0, 6)}).verdict == "unknown"
    assert msgspec.structs.replace(result, within={"ours ms": (0, 6)}, least=0).verdict == "yes"


def test_a_round_without_a_figure_is_counted_among_the_reasons_and_the_next_one_runs() -> None:
    figures = iter([Reading(1), Reading(2), None, Reading(4)])

    def sometimes() -> Reading:
        if (figure := next(figures)) is None:
            raise Unmeasured("too short")
        return figure

    made = benchmark(sometimes, lambda: Reading(1))
    result = measure(made, rounds=3, report=lambda *_: None, load_average=lambda: 0.0)

    assert (result.ours, result.ratio, result.rounds) == (3, 3, 3)
    assert result.reasons == ("ours: too short (1 of 3 rounds)",)


def test_no_round_begins_that_would_end_too_late() -> None:
    now = iter(range(0, 1_000, 10))
    result = measure(
        benchmark(lambda: Reading(1), lambda: Reading(1)),
        rounds=50,
        report=lambda *_: None,
        load_average=lambda: 0.0,
        clock=lambda: next(now),
        seconds=60,
    )

    assert result.rounds == 3  # of ten seconds each, and ten between


def test_a_call_that_hangs_is_ended_in_the_middle_and_what_follows_is_not() -> None:
    with pytest.raises(bounded.TimeIsUp):
        bounded.within(0.01, threading.Event().wait)
    assert bounded.within(60, lambda: 7) == 7
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_the_profile_names_the_dearest_functions_of_what_is_rated() -> None:
    def work() -> int:
        return sum(n * n for n in range(20_000))

    lines = profiled.dearest(lambda: cpu_rate(1, work))

    assert any("test_measure.py" in line for line in lines)
    assert profiled.dearest(work) == ()


def _away() -> Reading:
    raise Unavailable("no compiler")


@pytest.mark.parametrize(("count", "seconds"), [(0, 1.0), (100, 0.0)])
def test_nothing_done_or_no_time_passed_is_no_rate(count: int, seconds: float) -> None:
    with pytest.raises(Unmeasured, match=r"is no rate"):
        per_second(count, seconds)
    assert per_second(3, 1.5) == 2


def test_a_rate_is_of_work_that_ran_once_with_the_collector_as_it_was() -> None:
    calls: list[int] = []
    reading = cpu_rate(1_000, lambda: calls.append(sum(range(100_000))))

    assert len(calls) == 1
    assert reading.figure > 0
    assert set(reading.extra) == {"wall"}
    assert gc.get_freeze_count() == 0


def test_the_collector_thaws_when_the_work_fails() -> None:
    def broken() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        cpu_rate(1, broken)
    assert gc.get_freeze_count() == 0
