"""What the benchmarks came to: recorded peers, tables, JSON, and the places in the documentation."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from clickstream.errors import Missing, UserMistake
from clickstream.load.benchmarks.folding import growth
from clickstream.load.benchmarks.harness import documents, recorded, report
from clickstream.load.benchmarks.harness.measure import Reading
from clickstream.load.benchmarks.harness.result import Result
from tests.unit.load.benchmarks.fixed_figures import measured


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


def test_the_json_has_the_agreed_shape(tmp_path: Path) -> None:
    result, _ = measured([1, 30], [1, 10], rounds=1)
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
    good, _ = measured([1, 3_000_000, 4_000_000], [1, 1_000_000, 1_000_000], rounds=2)
    bad, _ = measured([1, 1], [1, 4], rounds=1)

    lines = report.table({"good": good, "bad": bad}).splitlines()

    assert len({line.count("|") for line in lines[:4]}) == 1
    assert "3,500,000 events/s | 1,000,000 events/s | **3.50** (3.00–4.00) | ≥ 2x | yes | CPU | 1.2 |" in lines[2]
    assert "| no |" in lines[3]
    assert lines[-1] == "- bad: ours doubled 2, peer doubled 8"


def test_what_has_no_figure_stands_in_the_table_and_its_reason_below() -> None:
    good, _ = measured([1, 30], [1, 10], rounds=1)
    half = msgspec.structs.replace(good, peer=None, ratio=None, spread=None, extra={}, reasons=("the peer: no compiler",))

    lines = report.table({"half": half, "none": Result(reasons=("did not end in time",))}).splitlines()

    assert len({line.count("|") for line in lines[:4]}) == 1
    assert "30 events/s | – | – | ≥ 2x | unknown |" in lines[2]
    assert lines[-2:] == ["- half: the peer: no compiler", "- none: did not end in time"]


def test_the_summary_ends_with_a_line_that_says_that_it_is_over() -> None:
    good, _ = measured([1, 30], [1, 10], rounds=1)
    bad, _ = measured([1, 1], [1, 1], rounds=1)
    none = Result(reasons=("did not end in time",))

    assert report.summary({"good": good, "bad": bad, "none": none}, 3, 150).splitlines() == [
        "short of the aim: bad (0.50 of it)",
        "no verdict: none: did not end in time",
        "finished in 2 min: of 3 benchmarks 1 reach their aim, 1 fall short, 1 have no verdict",
    ]
    assert report.summary({"good": good}, 3, 5) == (
        "ended early after 5 s, 2 not measured: of 1 benchmarks 1 reach their aim, 0 fall short, 0 have no verdict"
    )


def test_the_page_says_of_each_run_when_and_where_and_has_what_was_measured(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text("# Title\n<!-- benchmarks: measured -->\n<!-- benchmarks: end -->\n")
    good, _ = measured([1, 30], [1, 10], rounds=1)
    none = Result(reasons=("did not end in time",), profile=("50% fold.py:7 apply",), at="2026-12-02 here")
    results = {"good": msgspec.structs.replace(good, at="2026-12-01 here"), "none": none}

    report.write_json(results, tmp_path / "bench.json")
    documents.write_benchmarks(report.read_json(tmp_path / "bench.json"), tmp_path)

    text = page.read_text()
    assert "- good: measured 2026-12-01 here.\n- none: measured 2026-12-02 here.\n" in text
    assert "- **none**: `50% fold.py:7 apply`" in text
    assert "- **good**: Both do it." in text
    assert (tmp_path / "benchmarks.png").stat().st_size > 1_000


def test_the_page_of_results_has_no_figures_of_another_day() -> None:
    text = (Path(__file__).parents[4] / documents.PAGES / "benchmarks.md").read_text()
    by_hand = documents.replaced(text, "benchmarks", "")

    assert not re.findall(r"\d{4}-\d\d-\d\d|\b[A-Z][a-z]+ 20\d\d|\d µs|times faster", by_hand)


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


@pytest.mark.parametrize(("page", "name"), [("benchmarks.md", "benchmarks"), ("growth.md", "growth")])
def test_the_documentation_has_the_places(page: str, name: str) -> None:
    text = (Path(__file__).parents[4] / documents.PAGES / page).read_text()
    assert "new" in documents.replaced(text, name, "new")
