"""What a person can do on the pages."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from clickstream.consumers.fraud.decisions import PARTIAL, REUSED
from clickstream.models.fraud.purchases import PURCHASES
from clickstream.progress.shards_table import ShardProgress
from clickstream.serving.api.progress import shards
from tests.browser import boxes
from tests.browser.conftest import Site
from tests.browser.test_pages import number, state_is
from tests.browser.watching import Watch
from tests.unit.serving.desk import decision_at
from tests.unit.serving.letterbox import HOSTILE
from tests.unit.serving.shop import NOW, Shop

pytestmark = pytest.mark.browser

Open = Callable[..., Page]

THREE_MORE = """() => {
  let seen = 0;
  const feed = new EventSource("/v1/live/now?range=1h");
  feed.addEventListener("picture", () => { if (++seen === 4) { feed.close(); console.log("three more"); } });
}"""
TOKEN = "a-token-that-is-long"


def test_names_from_events_are_text(open_page: Open, watch: Watch) -> None:
    page = open_page()
    expect(page.locator("#searches")).to_contain_text("<b>wool</b> blanket")
    assert page.locator("#searches b").count() == 0
    assert watch.complaints == []


def test_pause_holds_the_figures_and_resume_catches_up(open_page: Open, shop: Shop) -> None:
    page = open_page()
    state_is(page, "Live")
    page.get_by_role("button", name="Pause").press("Enter")
    state_is(page, "Paused")
    held = number(page, "#events")
    readings = len(shop.asked)
    shop.now += 30_000
    # the server goes on reading, and the page goes on getting pictures
    with page.expect_event("console", lambda message: message.text == "three more"):
        page.evaluate(THREE_MORE)
    assert len(shop.asked) > readings
    assert number(page, "#events") == held
    page.get_by_role("button", name="Resume").press("Enter")
    state_is(page, "Live")
    assert number(page, "#events") > held


@pytest.mark.parametrize("asked", ["3h", "constructor"])
def test_a_range_that_there_is_not_is_said_to_be_none(open_page: Open, asked: str) -> None:
    page = open_page(f"/?range={asked}")
    expect(page.get_by_role("alert")).to_have_text(f"There is no range {asked}; this is 1h. Known are 15m, 1h, 24h, 7d, 30d.")
    page.get_by_label("24 hours").press("Space")
    expect(page.locator("#unknown-range")).to_be_hidden()


def test_the_range_is_chosen_by_keyboard_and_kept_in_the_address(open_page: Open, shop: Shop) -> None:
    shop.opened_ms -= 40 * 3_600_000
    shop.pace = 60  # a million would be told as 1M
    page = open_page()
    state_is(page, "Live")
    expect(page.locator("#series-note")).to_contain_text("per minute, last hour")
    hour = number(page, "#events")
    page.get_by_role("radio", name="1 hour").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#series-note")).to_contain_text("per hour, last 24 hours")
    day = number(page, "#events")
    assert day > 20 * hour
    page.reload()
    expect(page.get_by_role("radio", name="24 hours")).to_be_checked()
    expect(page.locator("#series-note")).to_contain_text("per hour, last 24 hours")
    page.keyboard.press("Tab")
    page.get_by_role("radio", name="24 hours").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#series-note")).to_contain_text("per day, last 30 days")
    assert number(page, "#events") > day
    page.get_by_role("radio", name="15 min").check(force=True)
    expect(page.locator("#events-note")).to_contain_text("the 15 minutes before")


def test_what_is_shown_is_to_be_had_as_a_file(open_page: Open, tmp_path: Path) -> None:
    page = open_page()
    state_is(page, "Live")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename == "clickstream-minutes.csv"
    download.value.save_as(tmp_path / "minutes.csv")
    with (tmp_path / "minutes.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 45
    assert sum(int(row["events"]) for row in rows) == pytest.approx(number(page, "#events"), rel=0.05)
    with page.expect_download() as download:
        page.get_by_role("link", name="JSON").click()
    assert download.value.suggested_filename == "clickstream-minutes.json"


def test_workers_that_fall_silent(open_page: Open, shop: Shop) -> None:
    page = open_page("/pipeline")
    state_is(page, "Live")
    expect(page.locator("#shards tr").first).to_contain_text("Current")
    shop.silent_since = shop.now
    shop.now += 40_000
    state_is(page, "Stale")
    expect(page.locator("#state-detail")).to_contain_text("analytics has been silent for 40 s, fraud has been")
    expect(page.locator("#shards tr").first).to_contain_text("Silent")
    expect(page.locator("#troubles strong")).to_have_text(
        [
            "fraud has been silent for 40 s (all its shards)",
            "analytics has been silent for 40 s (all its shards)",
            "recommendations has been silent for 40 s (all its shards)",
            "Bad records so far: 3 (each application keeps its own letters: fraud 3)",
        ]
    )
    expect(page.locator("#troubles code").first).to_have_text("clickstream applications retire fraud")
    page.set_viewport_size({"width": 390, "height": 1000})
    assert boxes.faults(page) == [], "on a telephone a long command makes a line of its own"


def test_troubles_are_causes_and_the_worst_comes_first(open_page: Open) -> None:
    """Not one for each application and shard."""
    well = ShardProgress(application="analytics", shard="", owner="w1", behind_ms=0, updated_at=NOW - 500)

    def four(application: str, count: int = 4, **fields: object) -> list[ShardProgress]:
        changed = msgspec.structs.replace(well, application=application, **fields)
        fine = msgspec.structs.replace(well, application=application)
        return [msgspec.structs.replace(changed if n < count else fine, shard=f"shardId-{n:012d}") for n in range(4)]

    rows = [
        *four("analytics", behind_ms=95_000, dead_letters=3),
        *four("archive", 1, updated_at=NOW - 20_000, dead_letters=12),
        *four("fraud", updated_at=NOW - 7_200_000, dead_letters=1),
        *four("orders", breakers={"SNS": "open"}),
        *four("over", updated_at=1, retired_at=2, dead_letters=9),
        *four("recommendations", waiting={"action": "sqs:SendMessage", "resource": "arn:queue", "since": NOW}),
        *four("wishlist", 3, deaths=3),
    ]
    page = open_page("/pipeline")
    found = page.evaluate(
        "async (shards) => (await import('/static/troubles.js')).troubles(shards)",
        msgspec.to_builtins(shards(rows, {}, NOW)),
    )
    assert [what for what, *_ in found] == [
        "recommendations may not sqs:SendMessage on arn:queue (all its shards)",
        "wishlist: its worker died 3 times without moving 3 of 4 shards",
        "fraud has been silent for 2 h 0 min (all its shards)",
        "archive has been silent for 20 s (1 of 4 shards)",
        "orders waits for SNS (all its shards)",
        "analytics is 1 min 35 s behind (all its shards)",
        "Bad records so far: 12 (each application keeps its own letters: analytics 12, archive 12, fraud 4)",
    ]
    assert all(advice for _, advice, *_ in found)


def test_dead_letters_are_read_by_their_cause(
    open_page: Open, site: Site, accessible: Callable[[Page], list[str]], watch: Watch, screenshots: Path
) -> None:
    """What a client has sent stays text, and stands in no line that is to be typed."""
    page = open_page("/pipeline")
    page.locator("#troubles").get_by_role("link", name="See the letters that wait").click()
    causes, letters = page.locator("#causes tr"), page.locator("#letters tr")
    expect(causes).to_have_count(3)
    expect(causes.first).to_contain_text(HOSTILE)
    expect(causes.first).to_contain_text("analytics 10")
    typed = page.locator("#causes code").all_inner_texts()
    assert [each for each in typed if not re.fullmatch(r"clickstream dlq (redrive|show [0-9a-f]{12})", each)] == []
    expect(page.locator("#looked")).to_have_text("42 letters; about 3 are in the hands of a reader, and not shown")
    page.screenshot(path=screenshots / "letters.png", full_page=True)
    assert boxes.faults(page) == accessible(page) == []

    expect(letters).to_have_count(25)
    causes.first.get_by_role("button").click()
    expect(page.locator("#chosen")).to_contain_text("of one cause")
    page.get_by_role("button", name="Older").click()
    expect(letters).to_have_count(15)
    page.get_by_role("button", name="All causes").click()
    expect(letters).to_have_count(25)
    assert page.locator("main img").count() == 0
    assert watch.complaints == []

    site.letterbox.down = True
    site.pass_time(10_000)
    page.get_by_role("button", name="Look again").click()
    expect(page.locator("#letters-note")).to_contain_text("SQS: it does not answer")
    expect(letters).to_have_count(25)


def test_a_score_is_written_as_its_reader_writes_numbers(open_page: Open) -> None:
    page = open_page("/fraud", locale="de-DE")
    expect(page.locator("#alerts tr").first.locator("td").nth(3)).to_have_text(re.compile(r"^0,\d{3}$"))
    effect = page.locator("#alerts .reasons li[title]").first.get_attribute("title")
    assert effect is not None
    assert re.search(r", [+−]\d+,\d\d$", effect)


def test_a_shard_whose_worker_keeps_dying(open_page: Open, shop: Shop) -> None:
    """It is current in all else: its process tells that it lives until the JVM ends."""
    page = open_page("/pipeline")
    expect(page.locator("#shards tr").first).to_contain_text("Current")
    shop.deaths = 3
    shop.now += 1_000  # readings within a moment are shared
    expect(page.locator("#shards tr").first).to_contain_text("Dying")
    expect(page.locator("#troubles")).to_contain_text("analytics: its worker died 3 times without moving all its shards")


def test_an_alarm_shows_with_its_reasons(open_page: Open, shop: Shop, site: Site) -> None:
    page = open_page("/fraud")
    state_is(page, "Live")
    before = number(page, "#block")
    site.desk.more.append(decision_at(16, decided_at=shop.now))
    expect(page.locator("#block")).to_have_text(str(before + 1))
    first = page.locator("#alerts tr").first
    expect(first).to_contain_text("o-16")
    expect(first).to_contain_text("failed log-ins of the user, in an hour: 6")
    expect(first).to_contain_text("a device new to the user, in 7 days: yes")
    # every feature has words
    unsaid = page.evaluate(
        "(names) => import('/static/features.js').then(({ words }) => names.filter((name) => words(name).includes('_')))",
        [*PURCHASES.names, PARTIAL.feature, REUSED.feature],
    )
    assert unsaid == []
    assert "u-secret" not in page.content()


def test_a_decision_is_looked_up(open_page: Open, watch: Watch) -> None:
    page = open_page("/fraud")
    state_is(page, "Live")
    page.get_by_label("Event id or order id").fill("nothing")
    page.keyboard.press("Enter")
    expect(page.locator("#found-note")).to_contain_text("no decision")
    alarm = page.evaluate("fetch('/v1/fraud/alerts?count=1').then((answer) => answer.json())")["alerts"][0]
    for by in ("event_id", "order_id"):
        page.get_by_label("Event id or order id").fill(alarm[by])
        page.keyboard.press("Enter")
        expect(page.locator("#found")).to_contain_text("failed log-ins of the user, in an hour")
        expect(page.locator("#found-note")).to_be_hidden()
    # Chromium tells of every answer that is an error, the 404 that was asked for too
    assert [complaint for complaint in watch.complaints if "404" not in complaint] == []


def test_alarms_are_worked_through(open_page: Open, accessible: Callable[[Page], list[str]], screenshots: Path) -> None:
    page = open_page("/fraud")
    rows = page.locator("#alerts tr")
    expect(rows.first).to_be_visible()
    count, order = rows.count(), rows.first.locator("a").inner_text()
    rows.first.get_by_role("button", name="Approve").click()
    expect(page.locator("#work-note")).to_contain_text("Who are you?")
    page.get_by_label("Your name").fill("<b>Eve</b>")
    rows.first.get_by_role("button", name="Approve").click()
    expect(page.locator("#work-note")).to_have_text(f"Order {order} was approved.")
    expect(rows).to_have_count(count - 1)
    page.get_by_label("State").select_option("done")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("approved by <b>Eve</b>, 13:37:20")
    rows.first.get_by_role("button", name="Genuine").click()
    expect(rows.first).to_contain_text("labelled genuine by <b>Eve</b>")
    assert accessible(page) == []
    page.screenshot(path=screenshots / "fraud-worked.png", full_page=True)
    page.reload()
    expect(page.get_by_label("Your name")).to_have_value("<b>Eve</b>")


def test_an_act_whose_answer_is_lost_may_have_been_noted(open_page: Open) -> None:
    page = open_page("/fraud")
    page.get_by_label("Your name").fill("Eve")
    page.route("**/v1/fraud/reviews", lambda route: (route.fetch(), route.abort())[1])
    rows = page.locator("#alerts tr")
    expect(rows.first).to_be_visible()
    count = rows.count()
    rows.first.get_by_role("button", name="Block").click()
    expect(page.locator("#work-note")).to_contain_text("It is not known whether it was noted")
    expect(rows).to_have_count(count - 1)


def test_a_list_that_could_not_be_read_is_told_until_it_was(open_page: Open) -> None:
    page = open_page("/fraud")
    expect(page.locator("#alerts tr").first).to_be_visible()
    page.route("**/v1/fraud/alerts**", lambda route: route.abort())
    page.get_by_label("Verdict").select_option("block")
    expect(page.locator("#work-note")).to_contain_text("The list could not be read")
    page.unroute("**/v1/fraud/alerts**")
    page.get_by_label("Verdict").select_option("any")
    expect(page.locator("#work-note")).to_be_empty()


def test_a_visitor_is_looked_up(open_page: Open, watch: Watch) -> None:
    page = open_page("/recommendations")
    state_is(page, "Live")
    page.get_by_label("Visitor id").fill("u7/é?&")
    page.get_by_role("button", name="Look up").click()
    expect(page.locator("#found tr")).to_have_count(20)
    expect(page.locator("#found tr").first).to_contain_text("because you viewed sku-77")
    page.get_by_label("Visitor id").fill("somebody")
    page.keyboard.press("Enter")
    expect(page.locator("#found-note")).to_contain_text("Nothing is known of this visitor")
    assert watch.complaints == []


def test_a_login_by_hand(chromium: Browser, shop: Shop, accessible: Callable[[Page], list[str]], screenshots: Path) -> None:
    site = Site(shop, TOKEN)
    context = chromium.new_context(locale="en-GB")
    watch = Watch()
    try:
        page = context.new_page()
        watch.attach(page)
        page.goto(site.url + "fraud")
        expect(page).to_have_title("Log in · clickstream")
        assert accessible(page) == []
        page.screenshot(path=screenshots / "login.png")
        page.get_by_label("Token").fill("guess")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("That was not the token.")
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Log in").click()
        expect(page).to_have_title("Fraud · clickstream")
        state_is(page, "Live")
        assert watch.hosts == {"127.0.0.1"}
        assert [complaint for complaint in watch.complaints if "403" not in complaint] == []
    finally:
        context.close()
        site.stop()
        site.close()
