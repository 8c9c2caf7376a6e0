"""The page's picture: right numbers, and a bounded number of windows read for them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from clickstream.errors import RetryLater
from serving.overview import Overview
from serving.periods import WINDOW_MS
from serving.stretch import CADENCES
from tests.unit.serving.shop import NOW, Shop

MINUTE = 60_000
REREAD_MS = CADENCES["minute"].all_ms


def picture(overview: Overview, now: int, problem: str | None = None) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(overview.picture(now, problem))
    return decoded


def test_the_series_are_the_windows_in_order_with_zeros_in_between() -> None:
    shop = Shop()
    overview = Overview(shop, "shop")
    overview.read(shop.now)
    series = picture(overview, shop.now)["series"]["minute"]

    starts = [point["start"] for point in series]
    assert starts == list(range(NOW // MINUTE * MINUTE - 59 * MINUTE, NOW + 1, MINUTE))
    expected = {window.start_ms: sum(window.counts.values()) for window in shop.windows("minute", starts[0], NOW, top=1)}
    assert {point["start"]: point["events"] for point in series if point["events"]} == expected
    assert series[0]["events"] == 0


def test_between_whole_reads_only_the_newest_windows_are_read() -> None:
    shop = Shop()
    overview = Overview(shop, "shop")
    overview.read(shop.now)
    shop.asked.clear()
    for _ in range(10):
        shop.now += 1000
        overview.read(shop.now)

    read = {kind: [(end - start) // WINDOW_MS[kind] for name, start, end in shop.asked if name == kind] for kind in WINDOW_MS}
    assert read == {"minute": [2] * 10, "hour": [1] * 3, "day": []}


def test_the_picture_after_many_small_reads_is_that_of_one_whole_read() -> None:
    shop = Shop()
    overview = Overview(shop, "shop")
    for _ in range(9):  # less than a whole reread in total, and over two minute boundaries
        overview.read(shop.now)
        shop.now += REREAD_MS // 10
    for _ in range(3):
        shop.now += 45_000
        overview.read(shop.now)
    fresh = Overview(shop, "shop")
    fresh.read(shop.now)

    kept, whole = picture(overview, shop.now), picture(fresh, shop.now)
    for part in ("progress", "complete_to"):
        assert kept[part] == whole[part]
    for part in ("series", "current", "previous"):
        # days are read less often than this test lasts
        assert {kind: kept[part][kind] for kind in ("minute", "hour")} == {
            kind: whole[part][kind] for kind in ("minute", "hour")
        }


def test_late_events_of_closed_windows_show_after_the_next_whole_read() -> None:
    shop = Shop()
    overview = Overview(shop, "shop")
    overview.read(shop.now)
    shop.opened_ms -= 3 * MINUTE  # as if three more minutes of events had come late
    shop.now += REREAD_MS
    overview.read(shop.now)
    fresh = Overview(shop, "shop")
    fresh.read(shop.now)
    assert picture(overview, shop.now)["series"]["minute"] == picture(fresh, shop.now)["series"]["minute"]


def test_a_replay_of_the_past_is_shown_at_its_own_time() -> None:
    past = 1_511_870_400_000  # November 2017
    shop = Shop(now=past, opened_ms=past - 10 * MINUTE)
    overview = Overview(shop, "shop")
    overview.read(NOW)
    shown = picture(overview, NOW)
    assert shown["current"]["hour"]["events"] > 0
    assert shown["series"]["minute"][-1]["start"] <= past


def test_a_store_that_is_away_leaves_the_last_picture_and_says_why() -> None:
    shop = Shop()
    overview = Overview(shop, "shop")
    overview.read(shop.now)
    before = picture(overview, shop.now)
    shop.down = True
    with pytest.raises(RetryLater) as caught:
        overview.read(shop.now + 5000)
    after = picture(overview, shop.now + 5000, str(caught.value))

    assert after["problem"] == "DynamoDB on http://127.0.0.1:4566 did not answer"
    assert after["read_at"] == shop.now
    assert after["series"] == before["series"]
    assert [row["age_ms"] for row in after["progress"]] == [row["age_ms"] + 5000 for row in before["progress"]]


def test_before_the_first_commit_there_is_a_picture_without_data() -> None:
    shop = Shop(opened_ms=NOW + 1)
    overview = Overview(shop, "shop")
    assert picture(overview, NOW)["read_at"] is None
    overview.read(NOW)
    shown = picture(overview, NOW)
    assert shown["progress"] == []
    assert shown["updated_at"] is None
    assert shown["complete_to"] is None
    assert shown["current"] == {"minute": None, "hour": None, "day": None}
    assert sum(point["events"] for point in shown["series"]["minute"]) == 0
