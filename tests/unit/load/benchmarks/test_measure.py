"""The arithmetic of a benchmark: rounds, ratios, aims and rates. No timing is asserted anywhere."""

from __future__ import annotations

import gc

import msgspec
import pytest

from clickstream.load.benchmarks.harness.measure import Unmeasured, cpu_rate, measure, per_second
from tests.unit.load.benchmarks.fixed_figures import benchmark, measured, side


def test_the_first_pair_is_not_counted_and_the_sides_take_turns_in_going_first() -> None:
    result, calls = measured([999, 10, 20, 30], [1, 5, 5, 5], rounds=3)

    assert calls == ["ours", "peer", "ours", "peer", "peer", "ours", "ours", "peer"]
    assert (result.ours, result.peer, result.rounds) == (20, 5, 3)
    assert (result.ratio, result.spread) == (4, (2, 6))
    assert result.reached


def test_the_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_the_medians() -> None:
    result, _ = measured([1, 10, 40, 90], [1, 10, 10, 100], rounds=3)

    assert result.ratio == 1.0
    assert result.ours / result.peer == 4.0
    assert not result.reached


def test_a_slow_benchmark_says_its_own_number_of_rounds_and_what_else_was_seen_is_kept() -> None:
    result, calls = measured([1, 3], [1, 2], rounds=5, own_rounds=1)

    assert len(calls) == 4
    assert result.extra == {"ours doubled": 6, "peer doubled": 4}
    assert result.load_average == (0.5, 1.25)


@pytest.mark.parametrize(("bounds", "reached"), [((5, 6), True), ((0, 5.9), False), ((6.1, 9), False)])
def test_an_aim_is_reached_only_in_every_respect(bounds: tuple[float, float], reached: bool) -> None:
    result, _ = measured([1, 3], [1, 1], rounds=1)

    assert msgspec.structs.replace(result, within={"ours doubled": bounds}).reached is reached
    assert not msgspec.structs.replace(result, within={"ours doubled": bounds}, ratio=1.0).reached


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
    assert not msgspec.structs.replace(result, within={"ours doubled": (0, 8.9)}).reached


def test_an_aim_of_none_is_missed_by_one() -> None:
    result, _ = measured([1, 8], [1, 1], rounds=1)
    lost = msgspec.structs.replace(result, within={"lost": (0, 0)})

    assert msgspec.structs.replace(lost, extra={"lost": 0}).reached
    assert not msgspec.structs.replace(lost, extra={"lost": 1}).reached


@pytest.mark.parametrize(("better", "idle"), [("more", "the peer"), ("less", "ours")])
def test_a_side_that_came_to_nothing_is_named_and_not_divided_by(better: str, idle: str) -> None:
    calls: list[str] = []
    made = benchmark(side("ours", [1, 0], calls), side("peer", [1, 0], calls), better=better)

    with pytest.raises(Unmeasured, match=f"^x: {idle} came to 0 events/s"):
        measure(made, rounds=1, report=lambda *_: None, load_average=lambda: 0.0)


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
