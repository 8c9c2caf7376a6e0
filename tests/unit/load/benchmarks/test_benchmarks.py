"""The benchmarks' harness: its arithmetic and its reports. No timing is asserted anywhere."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from clickstream import events
from clickstream.errors import Missing, UserMistake
from load.benchmarks import __main__ as program
from load.benchmarks import collect, documents, fill, growth, recorded, report
from load.benchmarks.kinesis_servers import Measured, Rate, table
from load.benchmarks.measure import Benchmark, Reading, Result, Side, Unmeasured, cpu_rate, measure, per_second
from load.benchmarks.sample import daemon_lines, sample_events


def _side(name: str, figures: list[float], calls: list[str]) -> Side:
    coming: Iterator[float] = iter(figures)

    def side() -> Reading:
        calls.append(name)
        figure = next(coming)
        return Reading(figure, {"doubled": 2 * figure})

    return side


def _benchmark(ours: Side, peer: Side, **asked: Any) -> Benchmark:
    return Benchmark(
        id="x",
        what="something",
        unit="events/s",
        peer_name="the other",
        fairness="Both do it.",
        clock="CPU",
        ours=ours,
        peer=peer,
        **{"aim": "≥ 2x", "least": 2, **asked},
    )


def _measured(ours: list[float], peer: list[float], *, rounds: int, own_rounds: int | None = None) -> tuple[Result, list[str]]:
    calls: list[str] = []
    loads = iter([0.5, 1.25])
    benchmark = _benchmark(_side("ours", ours, calls), _side("peer", peer, calls), rounds=own_rounds)
    result = measure(benchmark, rounds=rounds, report=lambda *_: None, load_average=lambda: next(loads))
    return result, calls


def test_the_first_pair_is_not_counted_and_the_sides_take_turns_in_going_first() -> None:
    result, calls = _measured([999, 10, 20, 30], [1, 5, 5, 5], rounds=3)

    assert calls == ["ours", "peer", "ours", "peer", "peer", "ours", "ours", "peer"]
    assert (result.ours, result.peer, result.rounds) == (20, 5, 3)
    assert (result.ratio, result.spread) == (4, (2, 6))
    assert result.reached


def test_the_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_the_medians() -> None:
    result, _ = _measured([1, 10, 40, 90], [1, 10, 10, 100], rounds=3)

    assert result.ratio == 1.0
    assert result.ours / result.peer == 4.0
    assert not result.reached


def test_a_slow_benchmark_says_its_own_number_of_rounds_and_what_else_was_seen_is_kept() -> None:
    result, calls = _measured([1, 3], [1, 2], rounds=5, own_rounds=1)

    assert len(calls) == 4
    assert result.extra == {"ours doubled": 6, "peer doubled": 4}
    assert result.load_average == (0.5, 1.25)


@pytest.mark.parametrize(("bounds", "reached"), [((5, 6), True), ((0, 5.9), False), ((6.1, 9), False)])
def test_an_aim_is_reached_only_in_every_respect(bounds: tuple[float, float], reached: bool) -> None:
    result, _ = _measured([1, 3], [1, 1], rounds=1)

    assert msgspec.structs.replace(result, within={"ours doubled": bounds}).reached is reached
    assert not msgspec.structs.replace(result, within={"ours doubled": bounds}, ratio=1.0).reached


def test_where_less_is_better_a_ratio_above_one_still_means_that_ours_wins() -> None:
    calls: list[str] = []
    benchmark = _benchmark(
        _side("ours", [4, 5], calls),
        _side("peer", [20, 10], calls),
        better="less",
        least=0,
        within={"ours doubled": (0, 10)},
        warm_up=False,
    )
    result = measure(benchmark, rounds=2, report=lambda *_: None, load_average=lambda: 0.0)

    assert calls == ["ours", "peer", "peer", "ours"]
    assert (result.ratio, result.spread) == (3.5, (2, 5))
    assert result.margin == 10 / 9
    assert not msgspec.structs.replace(result, within={"ours doubled": (0, 8.9)}).reached


def test_an_aim_of_none_is_missed_by_one() -> None:
    result, _ = _measured([1, 8], [1, 1], rounds=1)
    lost = msgspec.structs.replace(result, within={"lost": (0, 0)})

    assert msgspec.structs.replace(lost, extra={"lost": 0}).reached
    assert not msgspec.structs.replace(lost, extra={"lost": 1}).reached


def test_a_slow_peers_reading_is_kept_with_its_day_until_the_next(tmp_path: Path) -> None:
    file = tmp_path / "recorded.json"
    with pytest.raises(Missing, match="never recorded"):
        recorded.read("x", file)

    recorded.write("x", Reading(139.123, {"s": 1.0}), file)
    recorded.write("y", Reading(7), file)
    recorded.write("x", Reading(120, {"s": 2.0}), file)

    assert recorded.read("x", file) == Reading(120, {"s": 2.0})
    assert recorded.read("y", file) == Reading(7)
    assert {"day", "machine"} <= json.loads(file.read_text())["x"].keys()


def test_every_slow_peer_has_been_recorded() -> None:
    assert {recorded.read(name).figure > 60 for name in ("cold-start", "takeover")} == {True}


def test_the_growth_table_says_what_each_size_costs_against_the_one_before() -> None:
    lines = growth.table({"shards": {1: Reading(100_000, {"wall": 1.0, "processes": 5}), 10: Reading(50_000)}}).splitlines()

    assert lines[2:] == ["| shards | 1 | 10.00 |  | processes 5 |", "| shards | 10 | 20.00 | 2.00 |  |"]


@pytest.mark.parametrize(("better", "side"), [("more", "the peer"), ("less", "ours")])
def test_a_side_that_came_to_nothing_is_named_and_not_divided_by(better: str, side: str) -> None:
    calls: list[str] = []
    benchmark = _benchmark(_side("ours", [1, 0], calls), _side("peer", [1, 0], calls), better=better)

    with pytest.raises(Unmeasured, match=f"^x: {side} came to 0 events/s"):
        measure(benchmark, rounds=1, report=lambda *_: None, load_average=lambda: 0.0)


@pytest.mark.parametrize(("count", "seconds"), [(0, 1.0), (100, 0.0)])
def test_nothing_done_or_no_time_passed_is_no_rate(count: int, seconds: float) -> None:
    with pytest.raises(Unmeasured, match=r"is no rate"):
        per_second(count, seconds)
    assert per_second(3, 1.5) == 2


@pytest.mark.parametrize("seconds", [0.0, 0.3])
def test_a_collector_is_measured_for_its_seconds_and_until_it_has_answered_enough(seconds: float) -> None:
    answered: list[float] = []

    async def client() -> None:
        while True:
            await asyncio.sleep(0.05)
            answered.append(time.monotonic())

    async def measured() -> float:
        task = asyncio.create_task(client())
        began = time.monotonic()
        await collect.run([task], seconds, lambda: len(answered), 4)
        task.cancel()
        return time.monotonic() - began

    spent = asyncio.run(measured())
    assert spent >= seconds
    assert len(answered) >= 4


def test_a_collector_that_answers_nothing_ends_the_measurement_by_name() -> None:
    async def measured() -> None:
        task = asyncio.create_task(asyncio.sleep(60))
        try:
            await collect.run([task], 0.0, lambda: 3, 64, at_most_s=0.1)
        finally:
            task.cancel()

    with pytest.raises(Unmeasured, match=r"^3 of 64 requests were answered within 0\.1 s$"):
        asyncio.run(measured())


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


def test_the_json_has_the_agreed_shape(tmp_path: Path) -> None:
    result, _ = _measured([1, 30], [1, 10], rounds=1)
    file = tmp_path / "build" / "bench.json"

    report.write_json({"x": result}, file)

    content = json.loads(file.read_text())
    assert (
        content["x"].items()
        >= {
            "ours": 30,
            "peer": 10,
            "unit": "events/s",
            "ratio": 3,
            "aim": "≥ 2x",
            "peer_name": "the other",
            "extra": {"ours doubled": 60, "peer doubled": 20},
        }.items()
    )
    assert content["machine"].keys() >= {"cpu", "cores", "load_average", "python", "packages"}


def test_the_table_tells_both_sides_the_spread_and_whether_the_aim_is_reached() -> None:
    good, _ = _measured([1, 3_000_000, 4_000_000], [1, 1_000_000, 1_000_000], rounds=2)
    bad, _ = _measured([1, 1], [1, 4], rounds=1)

    lines = report.table({"good": good, "bad": bad}).splitlines()

    assert len({line.count("|") for line in lines[:4]}) == 1
    assert "3,500,000 events/s | 1,000,000 events/s | **3.50** (3.00–4.00) | ≥ 2x | yes | CPU | 1.2 |" in lines[2]
    assert "| no |" in lines[3]
    assert lines[-1] == "- bad: ours doubled 2, peer doubled 8"


@pytest.mark.parametrize(
    ("value", "text"), [(1_234_567.8, "1,234,568"), (100, "100"), (12.345, "12.3"), (0.94555, "0.946"), (0, "0")]
)
def test_figures_keep_three_digits(value: float, text: str) -> None:
    assert report.figure(value) == text


def test_only_what_stands_between_the_marks_is_replaced() -> None:
    page = "# Title\n<!-- a: measured -->\nold\n<!-- a: end -->\ntext\n<!-- b: measured -->\n<!-- b: end -->\n"

    once = documents.replaced(page, "a", "new\n")

    assert once == "# Title\n<!-- a: measured -->\nnew\n<!-- a: end -->\ntext\n<!-- b: measured -->\n<!-- b: end -->\n"
    assert documents.replaced(once, "a", "new") == once
    with pytest.raises(UserMistake, match="no place for c"):
        documents.replaced(page, "c", "new")


@pytest.mark.parametrize(
    ("page", "names"), [("benchmarks.md", ["benchmarks"]), ("local-kinesis.md", ["servers"]), ("growth.md", ["growth"])]
)
def test_the_documentation_has_the_places(page: str, names: list[str]) -> None:
    text = (Path(__file__).parents[4] / documents.PAGES / page).read_text()
    for name in names:
        assert "new" in documents.replaced(text, name, "new")


@pytest.mark.parametrize("name", program.BENCHMARKS)
def test_an_unknown_benchmark_is_refused_by_naming_the_known(name: str) -> None:
    told = CliRunner().invoke(program.main, ["--only", "nothing"])

    assert told.exit_code == 2
    assert name in told.output


def test_the_sample_of_fill_is_of_valid_events_of_one_size() -> None:
    sample = fill.sample()

    assert {len(data) for _, data in sample} == {fill.EVENT_BYTES}
    assert all(events.decode(data).user_id == user for user, data in sample[:: len(sample) // 50])


def test_late_events_come_out_of_order_and_cross_a_minute() -> None:
    prompt = [event.occurred_at for event in sample_events(1_000, before_the_minute_ms=250)]
    late = [event.occurred_at for event in sample_events(1_000, before_the_minute_ms=250, late_ms=100)]

    assert prompt == sorted(prompt)
    assert late != sorted(late)
    assert len({time // 60_000 for time in late}) == 2


def test_daemon_lines_hold_each_event_once() -> None:
    sample = sample_events(25)
    lines = [json.loads(line) for line in daemon_lines(sample, per_batch=10)]

    assert [len(line["records"]) for line in lines] == [10, 10, 5]
    assert [record["partitionKey"] for line in lines for record in line["records"]] == [event.user_id for event in sample]


def test_the_servers_table_says_cpu_rates_first_and_what_a_slow_server_held() -> None:
    rate = Rate(records=30_000, bytes=6_000_000, seconds=3.0, cpu_seconds=2.0)
    server = Measured(
        name="slow",
        large_puts=rate,
        small_puts=rate,
        retained=1_500,
        small_puts_later=rate,
        small_reads=rate,
        large_reads=rate,
        idle_mib=30,
        filled_mib=60,
        held_mb=12,
    )

    lines = table([server]).splitlines()

    assert lines[0] == "|  | slow |"
    assert lines[2].endswith("| 3.0 (2.0) |")
    assert lines[3].endswith("| 15,000 (10,000) |")
    assert lines[4].endswith("| 15,000 (10,000), with 1,500 |")
    assert lines[-1].endswith("| 60 for 12 |")
