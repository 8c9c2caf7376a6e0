"""The pages' pictures: right numbers, a bounded number of readings for them, and something to show while a store is away."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from clickstream.errors import RetryLater
from clickstream.serving.pages.live import Picture, head
from clickstream.serving.pages.now.spans import SPANS
from clickstream.serving.pages.pictures import STEP_MS, Fraud, Now, Pipeline, Recommendations
from clickstream.serving.progress import ProgressReader, Reading
from clickstream.serving.speeds import Line
from tests.unit.serving.desk import Desk, Window, decision_at
from tests.unit.serving.shop import NOW, Shop

MINUTE = 60_000


class Screen:
    """A picture over a shop whose clock is both the wall's and the monotonic one, unless ``ticks`` says otherwise."""

    def __init__(self, picture: Picture, shop: Shop) -> None:
        self.shop = shop
        self.ticks: int | None = None
        self._picture = picture
        self._reader = ProgressReader(shop, lambda: shop.now if self.ticks is None else self.ticks)
        self._seen: Reading | None = None
        self._shown: dict[str, Any] = {}

    def read(self, now: int | None = None) -> dict[str, Any]:
        seen = self._reader.read(self.shop.now if now is None else now)
        self._shown = self._picture.read(seen)
        self._seen = seen
        return self.drawn()

    def drawn(self, problem: str | None = None) -> dict[str, Any]:
        told = head("shop", self._seen, self._picture.applications, self.shop.now, problem)
        decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode({"head": told, **self._shown}))
        return decoded


def now_of(shop: Shop, span: str = "1h") -> Screen:
    return Screen(Now(shop, SPANS[span]), shop)


def test_the_bars_are_the_windows_in_order_with_zeros_in_between() -> None:
    shop = Shop()
    picture = now_of(shop)
    shown = picture.read()
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
    shown = picture.read(NOW)
    assert shown["total"]["events"] > 0
    assert shown["bars"][-1]["start"] <= past


PICTURES: dict[str, Callable[[Shop], Picture]] = {
    "now": lambda shop: Now(shop, SPANS["1h"]),
    "pipeline": lambda _: Pipeline(),
    "fraud": lambda shop: Fraud(Desk(shop)),
    "recommendations": lambda shop: Recommendations(Window(shop)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_store_that_is_away_leaves_the_last_picture_and_says_why(name: str) -> None:
    shop = Shop()
    picture = Screen(PICTURES[name](shop), shop)
    before = picture.read()
    shop.down = True
    shop.now += 5000
    with pytest.raises(RetryLater) as caught:
        picture.read()
    after = picture.drawn(str(caught.value))
    assert after["head"]["problem"] == "DynamoDB on http://127.0.0.1:4566 did not answer"
    assert after["head"]["read_at"] == shop.now - 5000
    assert {name: part for name, part in after.items() if name not in ("head", "shards")} == {
        name: part for name, part in before.items() if name not in ("head", "shards")
    }


#: Whose figures a page shows; the pipeline shows all.
MAKERS = {"now": "analytics", "fraud": "fraud", "recommendations": "recommendations"}


@pytest.mark.parametrize("silent", ["analytics", "fraud"])
@pytest.mark.parametrize("name", PICTURES)
def test_a_page_is_as_fresh_as_the_application_that_makes_its_figures(name: str, silent: str) -> None:
    """Another that talks, or that is silent, says nothing about it."""
    shop = Shop(silent=silent, silent_since=NOW)
    picture = Screen(PICTURES[name](shop), shop)
    shop.now += 40_000
    found = picture.read()["head"]
    is_silent = MAKERS.get(name, silent) == silent
    assert found["halted"] == ({silent: "has been silent for 40 s"} if is_silent else {})
    assert found["absent"] == []
    assert found["updated_at"] == (NOW if is_silent else shop.now) - 300
    # what fraud has not read is not complete on its page, whatever analytics has read
    assert found["complete_to"] == shop.now - 500 - {"now": 340, "recommendations": 0}.get(name, 95_000)


def test_a_page_whose_application_never_ran_names_it() -> None:
    shop = Shop(opened_ms=NOW)
    found = now_of(shop).read()["head"]
    assert (found["absent"], found["updated_at"], found["complete_to"]) == (["analytics"], None, None)


def test_a_retired_application_makes_no_page_stale() -> None:
    shop = Shop(silent="fraud", silent_since=NOW - 60_000, retired_at=NOW)
    found = Screen(Fraud(Desk(shop)), shop).read()["head"]
    assert (found["halted"], found["updated_at"]) == ({}, None)
    pipeline = Screen(Pipeline(), shop).read()
    assert pipeline["head"]["halted"] == {}
    assert {each["state"] for each in pipeline["shards"] if each["application"] == "fraud"} == {"retired"}
    assert [each["retired"] for each in pipeline["applications"]] == [0, 2, 0]


@pytest.mark.parametrize("name", PICTURES)
def test_before_the_first_commit_there_is_a_picture_without_data(name: str) -> None:
    shop = Shop(opened_ms=NOW + 1)
    picture = Screen(PICTURES[name](shop), shop)
    before = picture.drawn()
    assert before["head"]["read_at"] is None
    # a page that were told of "no" alarms or "no" model would say so
    assert before.keys() == {"head"}
    shown = picture.read()["head"]
    assert (shown["updated_at"], shown["complete_to"]) == (None, None)


def test_pages_that_read_at_one_moment_share_one_reading_of_the_shards() -> None:
    shop = Shop()
    reader = ProgressReader(shop, shop.clock)
    first = reader.read(NOW)
    shop.now += 100
    assert reader.read(NOW) is first
    shop.now += 900
    assert reader.read(NOW) is not first


def test_the_pipeline_sums_the_shards_of_each_application() -> None:
    shop = Shop()
    picture = Screen(Pipeline(), shop)
    for _ in range(5):
        shop.now += 2_000
        shown = picture.read()
    analytics, fraud, _ = shown["applications"]
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
    picture = Screen(Fraud(desk), shop)
    picture.read()
    before = picture.drawn()["decided"]
    truth = [desk._minute(minute["start"]).truth for minute in before["minutes"]]
    assert before["counts"]["review"] == sum(minute["review"] for minute in before["minutes"])
    assert before["truth"]["labelled"] == sum(known.labelled for known in truth)
    assert before["truth"]["precision"] == round(sum(k.caught for k in truth) / sum(k.alarms for k in truth), 4)

    shop.now += 500
    desk.more.append(decision_at(8, decided_at=shop.now))
    picture.read()
    after = picture.drawn()
    assert after["decided"]["counts"]["block"] == before["counts"]["block"] + 1
    assert after["newest"] == desk.more[-1].key
    # and the others are looked at again: labels may have come
    desk.labels = False
    picture.read()
    assert picture.drawn()["decided"]["truth"] is None


def test_the_hit_rate_is_of_the_last_minute() -> None:
    shop = Shop()
    picture = Screen(Recommendations(Window(shop)), shop)
    for _ in range(30):
        shop.now += STEP_MS // 2
        shown = picture.read()
    assert shown["lately"]["clicks"] == pytest.approx(60_000 / 50, rel=0.1)
    assert shown["lately"]["hits"] / shown["lately"]["clicks"] == pytest.approx(0.37, abs=0.01)
    assert [over["hits"] / over["clicks"] for _, over in shown["line"]] == pytest.approx([0.37] * len(shown["line"]), abs=0.01)
    times = [at for at, _ in shown["line"]]
    assert all(later - earlier >= STEP_MS for earlier, later in itertools.pairwise(times))
    assert len(shown["popular"]) == 10


def test_after_a_rest_the_hit_rate_begins_anew() -> None:
    shop = Shop()
    picture = Screen(Recommendations(Window(shop)), shop)
    picture.read()
    shop.now += 600_000
    picture.read()
    assert picture.drawn()["lately"]["clicks"] == 0


HOUR = 60 * MINUTE


def _pace(shown: dict[str, Any]) -> object:
    return shown["rate"][-1]


#: What shows on each page that it was read again after an interval, and not only drawn again.
MOVES: dict[str, Callable[[dict[str, Any]], object]] = {
    "now": _pace,
    "pipeline": _pace,
    "fraud": lambda shown: shown["decided"]["truth"],
    "recommendations": lambda shown: shown["line"][-1][0],
}


@pytest.mark.parametrize("set_ms", [-HOUR, HOUR])
@pytest.mark.parametrize("name", PICTURES)
def test_a_wall_clock_that_is_set_delays_no_reading(name: str, set_ms: int) -> None:
    """Intervals are a monotonic clock's: by a wall clock that is set back an hour, a page would stand still for an hour."""
    shop = Shop(opened_ms=NOW - 3 * HOUR)
    desk = Desk(shop)
    screen = Screen(Fraud(desk) if name == "fraud" else PICTURES[name](shop), shop)
    screen.ticks = 0

    def watch() -> dict[str, Any]:
        for _ in range(12):
            shop.now += 2_000
            screen.ticks = (screen.ticks or 0) + 2_000
            screen.read()
        return screen.drawn()

    before = MOVES[name](watch())
    shop.now += set_ms
    desk.labels = False
    assert MOVES[name](watch()) != before


@pytest.mark.parametrize("name", SPANS)
def test_a_range_is_read_again_after_the_same_time_whatever_the_wall_clock_says(name: str) -> None:
    shop = Shop(opened_ms=NOW - 3 * HOUR)
    screen = now_of(shop, name)
    screen.ticks = 0
    screen.read()
    shop.now -= HOUR
    screen.ticks = 1_000
    screen.read()  # of the windows of another hour
    for wait_ms in (SPANS[name].newest_ms or 1_000, SPANS[name].whole_ms):
        screen.ticks += wait_ms
        shop.asked.clear()
        screen.read()
        assert shop.asked, f"after {wait_ms} ms"


def test_a_line_has_its_points_in_order_when_the_wall_clock_was_set_back() -> None:
    line: Line[str] = Line(step_ms=1_000, kept_ms=10_000)
    line.add(0, 100_000, "a")
    line.add(500, 100_500, "too soon")
    line.add(1_000, 101_000, "b")
    assert line.points() == [(100_000, "a"), (101_000, "b")]
    line.add(2_000, 50_000, "set back")
    assert line.points() == [(50_000, "set back")]
    line.add(12_500, 60_500, "later")
    assert line.points() == [(60_500, "later")]
