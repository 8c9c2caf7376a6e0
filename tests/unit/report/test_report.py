"""A report's numbers, and its page."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

from clickstream.consumers.analytics.views import WindowView
from clickstream.consumers.fraud.views import DecidedMinute, Truth, Verdict
from clickstream.serving.report import page, plots
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
    made = page.html(report, plots.pictures(report))
    references = _References()
    references.feed(made)
    assert references.alone == []
    assert len(references.found) == 6
    assert all(reference.startswith("data:image/svg+xml;base64,") for reference in references.found)
    assert "url(" not in made
    for reference in references.found:
        picture = ET.fromstring(base64.b64decode(reference.partition(",")[2]))
        assert picture.tag == "{http://www.w3.org/2000/svg}svg"
        asked = [value for each in picture.iter() for name, value in each.attrib.items() if name.endswith("href")]
        assert all(value.startswith("#") for value in asked), "a picture points into itself alone"


def test_pictures_show_the_data(report: Report) -> None:
    told = dict(plots.pictures(report))
    assert re.search(r">\s*purchase\s*<", told["Events by type"])
    assert re.search(r">\s*block\s*<", told["Fraud decisions"])
    ticks = [float(text) for text in re.findall(r">\s*([\d.]+)\s*</text>", told["Revenue, minor units"])]
    assert 700 <= max(ticks) <= 1_000, "the axis spans the values"
    fills = set(re.findall(r"fill: (#[0-9a-f]{6})", told["Events by type"])) - {"#ffffff"}
    assert len(fills) >= 2, "a colour for each type"
    assert plots.pictures(report) == plots.pictures(report), "the same data give the same bytes"


def test_nothing_of_an_event_becomes_markup() -> None:
    made = page.html(_report([window(T, {"page_view": 1}, {}, [("<script>", 9)])], []), [])
    assert "<script" not in made
    assert "&lt;script&gt;" in made


@pytest.mark.parametrize(
    ("complete_to", "said"),
    [(None, "not known"), (T + 3 * HOUR, "Complete."), (T + HOUR, "later windows may still grow")],
)
def test_the_page_says_how_far_it_is_complete(complete_to: int | None, said: str) -> None:
    assert said in page.html(_report([], [], complete_to=complete_to), [])


def test_an_empty_stretch_is_a_page_too() -> None:
    empty = _report([], [])
    assert (empty.totals, plots.pictures(empty)) == ({"events": 0, "orders": 0}, [])
    assert "<h1>" in page.html(empty, [])


@pytest.mark.parametrize(("hours", "width"), [(1, "minute"), (3, "minute"), (24, "hour"), (96, "hour"), (97, "day")])
def test_the_width_fits_the_stretch(hours: int, width: str) -> None:
    assert _fitting(hours * HOUR) == width
