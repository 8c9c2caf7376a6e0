"""The page in a real browser, over data that change."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.browser.conftest import Site
from tests.unit.serving.shop import Shop

pytestmark = pytest.mark.browser

CSP_WATCH = "addEventListener('securitypolicyviolation', (event) => console.error('CSP violation', event.violatedDirective))"

THREE_MORE = """() => {
  let seen = 0;
  const feed = new EventSource("/v1/live");
  feed.addEventListener("picture", () => { if (++seen === 4) { feed.close(); console.log("three more"); } });
}"""

Open = Callable[..., Page]


class Watch:
    """What a page must not do: speak to another host, or complain on the console."""

    def __init__(self) -> None:
        self.hosts: set[str | None] = set()
        self.complaints: list[str] = []

    def attach(self, page: Page) -> None:
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname))
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def open_page(chromium: Browser, site: Site, watch: Watch) -> Iterator[Open]:
    """Opens the page in a fresh context: width in pixels, "light" or "dark"."""
    contexts = []

    def open_page(width: int = 1360, scheme: str = "light") -> Page:
        context = chromium.new_context(viewport={"width": width, "height": 1000}, color_scheme=scheme, locale="en-GB")  # type: ignore[arg-type]  # a literal there
        context.add_init_script(CSP_WATCH)
        contexts.append(context)
        page = context.new_page()
        watch.attach(page)
        page.goto(site.url)
        return page

    yield open_page
    for context in contexts:
        context.close()


def figure(page: Page, name: str) -> int:
    return int(re.sub(r"\D", "", page.locator(f"#{name}").inner_text()) or -1)


def state_is(page: Page, word: str) -> None:
    expect(page.locator("#state-word")).to_have_text(word)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1360, 420])
def test_the_page_is_live_and_stays_on_this_machine(
    open_page: Open, shop: Shop, watch: Watch, screenshots: Path, width: int, scheme: str
) -> None:
    for _ in range(60):  # a minute of history for the live line
        shop.now += 1000
    page = open_page(width, scheme)
    state_is(page, "Live")
    before = figure(page, "events")
    assert before > 0
    for step in range(40):
        shop.now += 1000
        shop.pace = 600 + 25 * (step % 9)
        page.wait_for_timeout(30)  # the pace of the scene, not a condition
    expect(page.locator("#events")).not_to_have_text(f"{before:,}")
    assert figure(page, "events") > before

    expect(page.locator("#chart-rate canvas")).to_be_visible()
    expect(page.locator("#chart-events canvas")).to_be_visible()
    expect(page.locator("#chart-revenue canvas")).to_be_visible()
    expect(page.locator("#funnel li")).to_have_count(3)
    expect(page.locator("#products li")).to_have_count(8)
    expect(page.locator("#pipeline tr")).to_have_count(4)
    # nothing is wider than the screen
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=screenshots / f"page-{scheme}-{width}.png", full_page=True)

    assert watch.hosts == {"127.0.0.1"}
    assert watch.complaints == []


def test_names_from_events_are_text(open_page: Open, watch: Watch) -> None:
    page = open_page()
    expect(page.locator("#searches")).to_contain_text("<b>wool</b> blanket")
    assert page.locator("#searches b").count() == 0
    assert watch.complaints == []


def test_a_policy_violation_would_be_seen(open_page: Open, watch: Watch) -> None:
    page = open_page()
    page.evaluate("document.body.append(Object.assign(document.createElement('img'), { src: 'https://192.0.2.1/x.png' }))")
    expect(page.locator("body > img")).to_have_count(1)
    page.wait_for_function("document.images[document.images.length - 1].complete")
    assert any("CSP violation" in complaint for complaint in watch.complaints)


def test_pause_holds_the_figures_and_resume_catches_up(open_page: Open, shop: Shop) -> None:
    page = open_page()
    state_is(page, "Live")
    page.get_by_role("button", name="Pause").press("Enter")
    state_is(page, "Paused")
    held = figure(page, "events")
    readings = len(shop.asked)
    shop.now += 30_000
    # the server goes on reading, and the page goes on getting pictures
    with page.expect_event("console", lambda message: message.text == "three more"):
        page.evaluate(THREE_MORE)
    assert len(shop.asked) > readings
    assert figure(page, "events") == held
    page.get_by_role("button", name="Resume").press("Enter")
    state_is(page, "Live")
    assert figure(page, "events") > held


def test_the_period_is_chosen_by_keyboard(open_page: Open) -> None:
    page = open_page()
    state_is(page, "Live")
    hour = figure(page, "events")
    page.get_by_role("radio", name="Hour").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("radio", name="Minute")).to_be_checked()
    assert 0 < figure(page, "events") < hour
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Day")).to_be_checked()
    assert figure(page, "events") > hour
    expect(page.locator("#series-note")).to_contain_text("per hour, last 24 hours")


def test_every_control_is_reached_by_tab(open_page: Open) -> None:
    page = open_page()
    state_is(page, "Live")
    name = "(document.activeElement.id || document.activeElement.value || document.activeElement.textContent).trim()"
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(name))
    assert reached == ["Skip to the figures", "pause", "hour", *reached[3:4], "Aggregates as JSON", "Progress as JSON"]


def test_a_store_that_goes_away(open_page: Open, shop: Shop, watch: Watch, screenshots: Path) -> None:
    page = open_page()
    state_is(page, "Live")
    shop.down = True
    state_is(page, "Stale")
    expect(page.locator("#notice")).to_contain_text("DynamoDB")
    assert figure(page, "events") > 0
    shop.now += 65_000
    expect(page.locator("#age")).to_contain_text("1 min")
    page.screenshot(path=screenshots / "page-stale.png")
    shop.down = False
    state_is(page, "Live")
    expect(page.locator("#notice")).to_be_hidden()
    assert watch.complaints == []


def test_workers_that_fall_silent(open_page: Open, shop: Shop) -> None:
    page = open_page()
    state_is(page, "Live")
    shop.silent_since = shop.now
    shop.now += 40_000
    state_is(page, "Stale")
    expect(page.locator("#state-detail")).to_contain_text("no worker has reported for 40 s")
    expect(page.locator("#pipeline tr").first).to_contain_text("Silent")


def test_a_server_that_goes_away_and_comes_back(open_page: Open, site: Site) -> None:
    page = open_page()
    state_is(page, "Live")
    site.stop()
    state_is(page, "Disconnected")
    assert figure(page, "events") > 0
    site.start()
    expect(page.locator("#state-word")).to_have_text("Live", timeout=15_000)


def test_before_the_first_event_the_page_says_what_to_do(open_page: Open, shop: Shop, watch: Watch, screenshots: Path) -> None:
    shop.opened_ms = shop.now + 60_000
    page = open_page(scheme="dark")
    state_is(page, "Waiting")
    expect(page.locator("#empty-pipeline code").first).to_have_text("clickstream worker analytics")
    expect(page.locator("#empty-events code")).to_have_text("clickstream load run")
    page.screenshot(path=screenshots / "page-empty.png", full_page=True)
    shop.now += 120_000
    state_is(page, "Live")
    expect(page.locator("#empty-pipeline")).to_be_hidden()
    assert watch.complaints == []
