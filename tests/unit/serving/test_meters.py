from __future__ import annotations

from clickstream.serving.speeds import KEPT_MS, SMOOTHING_MS, Meter, Rate


def test_a_steady_counter_has_its_rate() -> None:
    rate = Rate()
    for second in range(30):
        rate.count(second * 1000, second * 1000, second * 250)
    assert rate.points()[0] == (1000, 250.0)
    assert {value for _, value in rate.points()} == {250.0}


def test_commits_in_steps_do_not_make_a_comb() -> None:
    rate = Rate()
    for second in range(60):
        rate.count(second * 1000, second * 1000, second // 5 * 5 * 100)  # 500 events are committed every 5 s
    settled = [value for at, value in rate.points() if at >= SMOOTHING_MS]
    assert min(settled) >= 90
    assert max(settled) <= 110


def test_a_line_goes_to_zero_when_events_stop() -> None:
    rate = Rate()
    rate.count(0, 0, 0)
    rate.count(1000, 1000, 900)
    for second in range(2, 14):
        rate.count(second * 1000, second * 1000, 900)
    assert rate.points()[-1] == (13_000, 0.0)


def test_a_total_that_falls_begins_a_new_count() -> None:
    rate = Rate()
    rate.count(0, 0, 1_000_000)
    rate.count(1000, 1000, 10)
    assert rate.points() == []
    rate.count(2000, 2000, 30)
    assert rate.points() == [(2000, 20.0)]


def test_the_history_is_bounded() -> None:
    rate = Rate()
    for second in range(2_000):
        rate.count(second * 1000, second * 1000, second)
    times = [at for at, _ in rate.points()]
    assert times[-1] == 1_999_000
    assert times[0] == 1_999_000 - KEPT_MS


def test_what_waits_is_the_lag_at_the_density_of_arrival() -> None:
    meter = Meter()
    meter.add(0, 1_000, arrived_ms=100_000)
    # two seconds of work went through ten seconds of the stream, at 50 events a second
    meter.add(2_000, 1_500, arrived_ms=110_000)
    assert meter.waiting(60_000) == 3_000
    assert meter.waiting(0) == 0
    assert meter.waiting(None) is None
    assert meter.per_second() == 250.0


def test_what_waits_is_unknown_while_nothing_moves() -> None:
    meter = Meter()
    meter.add(0, 1_000, arrived_ms=100_000)
    meter.add(5_000, 1_000, arrived_ms=100_000)
    assert meter.waiting(60_000) is None
    assert meter.per_second() == 0.0
