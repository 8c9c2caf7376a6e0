"""The pages' pictures: right numbers, a bounded number of readings for them, and something to show while a store is away."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from clickstream.errors import RetryLater
from serving.pages.fraud.picture import ALL_MS, Fraud
from serving.pages.now.picture import Now
from serving.pages.now.spans import SPANS
from serving.pages.picture import Picture
from serving.pages.pipeline.picture import Pipeline
from serving.pages.recommendations.picture import STEP_MS, Recommendations
from serving.progress import Fleet
from tests.unit.serving.desk import Desk, Window, decision_at
from tests.unit.serving.shop import NOW, Shop

MINUTE = 60_000


def drawn(picture: Picture, now: int, problem: str | None = None) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(picture.picture(now, problem))
    return decoded


def now_of(shop: Shop, span: str = "1h") -> Now:
    return Now(shop, Fleet(shop), "shop", SPANS[span])


def test_the_bars_are_the_windows_in_order_with_zeros_in_between() -> None:
    shop = Shop()
    picture = now_of(shop)
    picture.read(shop.now)
    shown = drawn(picture, shop.now)
    starts = [bar["start"] for bar in shown["bars"]]
    assert starts == list(range(NOW // MINUTE * MINUTE - 59 * MINUTE, NOW + 1, MINUTE))
    expected = {window.start_ms: sum(window.counts.values()) for window in shop.windows("minute", starts[0], NOW, top=1)}
    assert {bar["start"]: bar["events"] for bar in shown["bars"] if bar["events"]} == expected
    assert shown["bars"][0]["events"] == 0
    total = shown["total"]
    assert total["events"] == sum(expected.values())
    # the same visitors in every minute: a union, not a sum
    assert total["uniques"]["value"] == pytest.approx(max(w["uniques"]["value"] for w in busiest(shop)), abs=1)
    assert (total["start"], total["end"]) == (starts[0], starts[-1] + MINUTE)


def busiest(shop: Shop) -> list[dict[str, Any]]:
    made = shop.windows("minute", NOW - 59 * MINUTE, NOW, top=1)
    return [{"uniques": {"value": int(window.uniques.value)}} for window in made]


def test_a_replay_of_the_past_is_shown_at_its_own_time() -> None:
    past = 1_511_870_400_000  # November 2017
    shop = Shop(now=past, opened_ms=past - 10 * MINUTE)
    picture = now_of(shop)
    picture.read(NOW)
    shown = drawn(picture, NOW)
    assert shown["total"]["events"] > 0
    assert shown["bars"][-1]["start"] <= past


def pictures(shop: Shop) -> list[Picture]:
    fleet = Fleet(shop)
    return [
        Now(shop, fleet, "shop", SPANS["1h"]),
        Pipeline(fleet, "shop"),
        Fraud(Desk(shop), fleet, "shop"),
        Recommendations(Window(shop), fleet, "shop"),
    ]


@pytest.mark.parametrize("number", range(4))
def test_a_store_that_is_away_leaves_the_last_picture_and_says_why(number: int) -> None:
    shop = Shop()
    picture = pictures(shop)[number]
    picture.read(shop.now)
    before = drawn(picture, shop.now)
    shop.down = True
    with pytest.raises(RetryLater) as caught:
        picture.read(shop.now + 5000)
    after = drawn(picture, shop.now + 5000, str(caught.value))
    assert after["head"]["problem"] == "DynamoDB on http://127.0.0.1:4566 did not answer"
    assert after["head"]["read_at"] == shop.now
    assert {name: part for name, part in after.items() if name not in ("head", "shards")} == {
        name: part for name, part in before.items() if name not in ("head", "shards")
    }


@pytest.mark.parametrize("number", range(4))
def test_before_the_first_commit_there_is_a_picture_without_data(number: int) -> None:
    shop = Shop(opened_ms=NOW + 1)
    picture = pictures(shop)[number]
    assert drawn(picture, NOW)["head"]["read_at"] is None
    picture.read(NOW)
    head = drawn(picture, NOW)["head"]
    assert (head["updated_at"], head["complete_to"]) == (None, None)


def test_pages_that_read_at_one_moment_share_one_reading_of_the_shards() -> None:
    shop = Shop()
    fleet = Fleet(shop)
    first = fleet.read(NOW)
    assert fleet.read(NOW + 100) is first
    assert fleet.read(NOW + 1_000) is not first


def test_the_pipeline_sums_the_shards_of_each_application() -> None:
    shop = Shop()
    picture = Pipeline(Fleet(shop), "shop")
    for _ in range(5):
        shop.now += 2_000
        picture.read(shop.now)
    shown = drawn(picture, shop.now)
    analytics, fraud = shown["applications"]
    assert (analytics["application"], analytics["shards"], fraud["lag_ms"], fraud["dead_letters"]) == (
        "analytics",
        2,
        95_000,
        3,
    )
    shards = [shard for shard in shown["shards"] if shard["application"] == "analytics"]
    assert analytics["events"] == sum(shard["events"] for shard in shards)
    assert analytics["per_second"] == pytest.approx(10, abs=0.5)  # a pace of 600 a minute
    assert {shard["checkpoint_age_ms"] for shard in shards} == {900}
    assert fraud["lag_events"] > 0


def test_decisions_of_the_hour_are_summed_and_the_newest_show_at_once() -> None:
    shop = Shop()
    desk = Desk(shop)
    picture = Fraud(desk, Fleet(shop), "shop")
    picture.read(shop.now)
    before = drawn(picture, shop.now)["decided"]
    truth = [desk._minute(minute["start"]).truth for minute in before["minutes"]]
    assert before["counts"]["review"] == sum(minute["review"] for minute in before["minutes"])
    assert before["truth"]["labelled"] == sum(known.labelled for known in truth)
    assert before["truth"]["precision"] == round(sum(k.caught for k in truth) / sum(k.alarms for k in truth), 4)

    shop.now += 500
    desk.more.append(decision_at(8, decided_at=shop.now))
    picture.read(shop.now)
    after = drawn(picture, shop.now)
    assert after["decided"]["counts"]["block"] == before["counts"]["block"] + 1
    assert after["alerts"][0]["decided_at"] == shop.now
    # and the others are looked at again when labels may have come
    desk.labels = False
    shop.now += ALL_MS
    picture.read(shop.now)
    assert drawn(picture, shop.now)["decided"]["truth"] is None


def test_nobody_is_named_in_an_alert() -> None:
    shop = Shop()
    picture = Fraud(Desk(shop), Fleet(shop), "shop")
    picture.read(shop.now)
    assert drawn(picture, shop.now)["alerts"]
    assert b"u-secret" not in picture.picture(shop.now)
    assert b"user_id" not in picture.picture(shop.now)


def test_the_hit_rate_is_of_the_last_minute() -> None:
    shop = Shop()
    window = Window(shop)
    picture = Recommendations(window, Fleet(shop), "shop")
    for _ in range(30):
        shop.now += STEP_MS // 2
        picture.read(shop.now)
    shown = drawn(picture, shop.now)
    assert shown["lately"]["clicks"] == pytest.approx(60_000 / 50, rel=0.1)
    assert shown["lately"]["hits"] / shown["lately"]["clicks"] == pytest.approx(0.37, abs=0.01)
    assert [point["hits"] for point in shown["line"]] == pytest.approx([0.37] * len(shown["line"]), abs=0.01)
    times = [point["at"] for point in shown["line"]]
    assert all(later - earlier >= STEP_MS for earlier, later in itertools.pairwise(times))
    assert len(shown["popular"]) == 10


def test_after_a_rest_the_hit_rate_begins_anew() -> None:
    shop = Shop()
    picture = Recommendations(Window(shop), Fleet(shop), "shop")
    picture.read(shop.now)
    shop.now += 600_000
    picture.read(shop.now)
    assert drawn(picture, shop.now)["lately"]["clicks"] == 0
