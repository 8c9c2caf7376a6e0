"""A report's numbers, and its page."""

from __future__ import annotations

import re
from datetime import datetime
from html import unescape
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from clickstream.consumers.analytics.views import WindowView
from clickstream.consumers.fraud.views import DecidedMinute, Truth, Verdict
from clickstream.progress.shards_table import ShardProgress
from clickstream.serving.report import charts, frames, page
from clickstream.serving.report.commands import _fitting
from clickstream.serving.report.frames import Report, decisions_frame, first_start, tops, windows_frame
from tests.unit.report.shop import window

T = 1_790_000_000_000 // 3_600_000 * 3_600_000
HOUR = 3_600_000


def _minute(start_ms: int, approve: int, block: int, caught: int) -> DecidedMinute:
    return DecidedMinute(
        start_ms=start_ms,
        counts={Verdict.APPROVE: approve, Verdict.REVIEW: 0, Verdict.BLOCK: block},
        money=dict.fromkeys(Verdict, 0),
        versions={},
        truth=Truth(labelled=1, frauds=2 * caught, caught=caught),
    )


def _report(windows: list[WindowView], minutes: list[DecidedMinute], *, complete_to: int | None = None) -> Report:
    return Report(
        name="shop",
        granularity="hour",
        start_ms=T,
        end_ms=T + 3 * HOUR,
        complete_to=complete_to,
        windows=windows_frame(windows),
        decisions=decisions_frame(minutes, "hour"),
        tops=tops(windows, 2),
        archived={"page_view": 30, "login": 2},
    )


@pytest.fixture
def report() -> Report:
    windows = [
        window(T, {"page_view": 10}, {}, [("a", 5), ("b", 3)]),
        window(T + 2 * HOUR, {"page_view": 20, "purchase": 2}, {"EUR": 700}, [("b", 4), ("<c>", 1)]),
    ]
    return _report(windows, [_minute(T, 3, 1, 1), _minute(T + 60_000, 2, 0, 0), _minute(T + HOUR, 7, 1, 1)])


@pytest.mark.parametrize(("moment", "begins"), [(T, T), (T + 1, T + HOUR), (T + HOUR - 1, T + HOUR)])
def test_a_window_that_began_before_the_stretch_is_no_part_of_it(moment: int, begins: int) -> None:
    assert T % HOUR == 0
    assert first_start("hour", moment) == begins


def test_totals_are_sums_and_what_cannot_be_added_up_is_not(report: Report) -> None:
    assert report.totals == {
        "events": 32,
        "orders": 2,
        "events_page_view": 30,
        "events_purchase": 2,
        "revenue_EUR": 700,
        "approve": 12,
        "review": 0,
        "block": 2,
        "frauds": 4,
        "caught": 2,
    }


def test_a_type_that_a_window_does_not_have_was_counted_zero_times(report: Report) -> None:
    assert list(report.windows["events_purchase"]) == [0, 2]
    assert list(report.windows["revenue_EUR"]) == [0, 700]


def test_the_table_has_every_window_of_either_side(report: Report) -> None:
    assert [int(start.timestamp() * 1000) for start in report.table.index] == [T, T + HOUR, T + 2 * HOUR]
    assert report.table["approve"].fillna(-1).tolist() == [5, 7, -1]


def test_rankings_are_added_up(report: Report) -> None:
    assert report.tops["products"] == [("b", 7), ("a", 5)]


class _References(HTMLParser):
    """Every place that a browser would fetch from or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.alone: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "iframe", "object"):
            self.alone.append(tag)
        self.found += [value or "" for name, value in attributes if name in ("src", "href", "srcset", "data")]


def test_the_page_needs_nothing_else(report: Report) -> None:
    made = page.html(report, ZoneInfo("Europe/Berlin"))
    references = _References()
    references.feed(made)
    assert (references.alone, references.found) == ([], [])
    assert "url(" not in made
    assert "@import" not in made
    assert made.count("<svg") == 6


def test_charts_show_the_data_in_words_local_time_and_major_units() -> None:
    windows = [
        window(T, {"page_view": 10}, {"EUR": 15_000_099, "JPY": 700}, [("a", 5)]),
        window(T + HOUR, {"purchase": 2}, {"EUR": 500}, []),
    ]
    made = page.html(_report(windows, [_minute(T, 3, 1, 1)], complete_to=T + HOUR), ZoneInfo("Europe/Berlin"))
    told = unescape(re.sub(r"<[^>]+>", "|", re.sub(r"<style>.*?</style>", "", made, flags=re.DOTALL)))
    assert "<h1>21 Sep 2026, 16:00 to 19:00 CEST</h1>" in made
    for words in (
        *("Revenue, EUR||150,005|", "Revenue, JPY||700|", "21 Sep, 16:00: EUR 150,000.99|", "21 Sep, 16:00: JPY 700|"),
        *("|EUR per hour", "|160,000|", "21 Sep, 16:00: To review 0; Blocked 1|", "|Page views|", "|21 Sep 2026, 16:00|"),
        "|150,000.99 EUR|",
    ):
        assert words in told, words
    assert not re.search(r"events_|revenue_|sessions_|minor", told)
    assert made.count("<g class=pale>") >= 4, "windows that are not complete"


@pytest.mark.parametrize("most", [0, 1, 3.5, 4, 9, 10, 11, 99, 101, 12_345, 10**12])
def test_an_axis_ends_round_and_near(most: float) -> None:
    top = charts._top(most)
    assert most <= top <= max(4, 1.4 * most)
    assert top % 4 == 0


@pytest.mark.parametrize(
    ("start", "width_ms", "count", "labels"),
    [
        ("2026-10-24T22:00Z", HOUR, 26, ["25 Oct", "06:00", "12:00", "18:00", "26 Oct"]),  # the clocks go back
        ("2026-10-01T22:00Z", 24 * HOUR, 31, ["8 Oct", "15 Oct", "22 Oct", "29 Oct"]),
        ("2026-10-21T22:00Z", 24 * HOUR, 7, [f"{day} Oct" for day in range(22, 29)]),
        ("2026-11-24T08:00Z", HOUR, 26, ["12:00", "18:00", "25 Nov", "06:00"]),
        ("2026-11-24T12:07Z", 60_000, 60, ["13:10", "13:20", "13:30", "13:40", "13:50", "14:00"]),
        ("2026-11-01T00:00Z", 24 * HOUR, 30, ["5 Nov", "12 Nov", "19 Nov", "26 Nov"]),
    ],
)
def test_labels_stand_on_round_times_of_the_zone(start: str, width_ms: int, count: int, labels: list[str]) -> None:
    begin = int(datetime.fromisoformat(start).timestamp() * 1000)
    axis = charts.Axis([begin + n * width_ms for n in range(count)], width_ms, 0, ZoneInfo("Europe/Berlin"))
    assert re.findall(r">([^<]+)</span>", "".join(charts._times(axis))) == labels


def test_nothing_of_an_event_becomes_markup() -> None:
    made = page.html(_report([window(T, {"page_view": 1}, {}, [("<script>", 9)])], []))
    assert "<script" not in made
    assert "&lt;script&gt;" in made


@pytest.mark.parametrize(
    ("complete_to", "said"),
    [(None, "not known"), (T + 3 * HOUR, "Complete."), (T + HOUR, "may still grow")],
)
def test_the_page_says_how_far_it_is_complete(complete_to: int | None, said: str) -> None:
    assert said in page.html(_report([], [], complete_to=complete_to))


def test_an_empty_stretch_is_a_page_too() -> None:
    empty = _report([], [])
    assert empty.totals == {"events": 0, "orders": 0}
    assert "Nothing happened" in page.html(empty)


@pytest.mark.parametrize(("hours", "width"), [(1, "minute"), (3, "minute"), (24, "hour"), (96, "hour"), (97, "day")])
def test_the_width_fits_the_stretch(hours: int, width: str) -> None:
    assert _fitting(hours * HOUR) == width


def test_a_report_is_as_complete_as_its_decisions() -> None:
    def progress(application: str, to: int, retired_at: int = 0) -> ShardProgress:
        return ShardProgress(
            application=application,
            shard="shardId-000000000000",
            owner="w",
            hash_range=f"{0:032x}-{2**128 - 1:x}",
            arrived_to=to,
            whole_to=to,
            updated_at=T,
            retired_at=retired_at,
        )

    alone, late = progress("analytics", T), progress("fraud", T - HOUR)
    all_of = frames.told_to([alone], "minute")
    behind = frames.told_to([alone, late], "minute")
    assert all_of is not None
    assert behind is not None
    assert all_of - behind >= HOUR - 60_000
    retired = progress("fraud", T - HOUR, retired_at=T)
    assert frames.told_to([alone, retired], "minute") == all_of
    assert frames.told_to([alone, progress("fraud", 0)], "minute") is None
