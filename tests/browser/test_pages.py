"""Every page in a real browser, over data that change: live, at home on this machine, and readable by everybody."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, expect

from clickstream.money import EXPONENTS, exponent
from tests.browser import boxes
from tests.browser.conftest import Site
from tests.browser.watching import Watch
from tests.unit.serving.shop import Shop

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
Accessible = Callable[[Page], list[str]]


class Shown(NamedTuple):
    """A page, a figure on it that moves with the shop's time, and what must be there."""

    path: str
    moves: str
    present: tuple[str, ...]


PAGES = {
    "now": Shown(
        "/", "#events", ("#chart-rate canvas", "#chart-events canvas", "#chart-revenue canvas", "#funnel li", "#devices li")
    ),
    "fraud": Shown("/fraud", "#decided", ("#chart-alarms canvas", "#alerts tr", "#model dd")),
    "recommendations": Shown("/recommendations", "#clicks", ("#popular li",)),
    "pipeline": Shown("/pipeline", "#applications td:last-child", ("#chart-rate canvas", "#applications tr", "#troubles li")),
}


def state_is(page: Page, word: str) -> None:
    expect(page.locator("#state-word")).to_have_text(word)


def number(page: Page, selector: str) -> int:
    return int(re.sub(r"\D", "", page.locator(selector).first.inner_text()) or -1)


@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize(("scheme", "locale"), [("light", "en-GB"), ("dark", "de-DE")])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_live_and_stays_on_this_machine(
    open_page: Open,
    accessible: Accessible,
    shop: Shop,
    watch: Watch,
    screenshots: Path,
    name: str,
    scheme: str,
    locale: str,
    width: int,
) -> None:
    shown = PAGES[name]
    shop.price = 1_250_000  # a minute's axis goes to 150.000 €
    page = open_page(shown.path, width, scheme, locale)
    state_is(page, "Live")
    before = page.locator(shown.moves).first.inner_text()
    for step in range(30):
        shop.now += 2000
        shop.pace = 600 + 25 * (step % 9)
        page.wait_for_timeout(40)  # the pace of the scene, not a condition
    expect(page.locator(shown.moves).first).not_to_have_text(before)
    for selector in shown.present:
        expect(page.locator(selector).first).to_be_visible()
    # nothing is wider than the screen, and no label is cut
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert boxes.faults(page) == []
    page.screenshot(path=screenshots / f"{name}-{scheme}-{width}.png", full_page=True)

    assert accessible(page) == []
    assert watch.hosts == {"127.0.0.1"}
    assert watch.complaints == []


@pytest.mark.parametrize("width", [1440, 420])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_events_life_stands_in_the_frame_of_the_others(
    open_page: Open, accessible: Accessible, watch: Watch, screenshots: Path, scheme: str, width: int
) -> None:
    page = open_page("/explain", width, scheme)
    state_is(page, "Live")
    page.screenshot(path=screenshots / f"explain-empty-{scheme}-{width}.png", full_page=True)
    page.get_by_label("Order id").fill(" order-1 ")
    page.get_by_role("button", name="Look up").click()
    page.wait_for_url("**/explain?event=a%2Fb&user=u%26x%3D1")
    state_is(page, "Live")
    expect(page.locator("main th").first).to_be_visible()
    expect(page.get_by_role("navigation", name="Pages").get_by_role("link", name="Pipeline")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=screenshots / f"explain-{scheme}-{width}.png", full_page=True)

    assert accessible(page) == []
    assert watch.hosts == {"127.0.0.1"}
    assert watch.complaints == []


def test_nothing_is_claimed_before_anything_was_read(
    shop: Shop, watch: Watch, screenshots: Path, request: pytest.FixtureRequest
) -> None:
    shop.down = True  # before the server starts, which may read at once
    site: Site = request.getfixturevalue("site")
    open_page: Open = request.getfixturevalue("open_page")
    page = open_page(PAGES["fraud"].path)
    for name, shown in PAGES.items():
        page.goto(site.url.rstrip("/") + shown.path)
        expect(page.locator("#notice")).to_contain_text("Nothing could be read yet")
        expect(page.locator("main")).to_have_attribute("aria-busy", "true")
        assert set(page.locator(".value").all_inner_texts()) <= {"–"}
        told = page.locator("main").inner_text()
        assert [
            words for words in ("1970", "No ", "none", "Nobody", "Nothing is", "no labels", "runs yet") if words in told
        ] == []
        page.screenshot(path=screenshots / f"{name}-unread.png")
    shop.down = False
    state_is(page, "Live")
    expect(page.locator("main")).to_have_attribute("aria-busy", "false")
    # the fraud page's work list may have asked before the page was left, and a browser says what it was answered
    assert [each for each in watch.complaints if "503" not in each] == []


@pytest.mark.parametrize("name", PAGES)
def test_a_store_that_goes_away(open_page: Open, shop: Shop, watch: Watch, screenshots: Path, name: str) -> None:
    page = open_page(PAGES[name].path)
    state_is(page, "Live")
    figures = page.locator(PAGES[name].moves).first.inner_text()
    shop.down = True
    shop.now += 1000  # what was read lately is shared for a moment
    state_is(page, "Stale")
    expect(page.locator("#notice")).to_contain_text("DynamoDB")
    assert page.locator(PAGES[name].moves).first.inner_text() == figures
    shop.now += 65_000
    expect(page.locator("#age")).to_contain_text("1 min")
    page.screenshot(path=screenshots / f"{name}-stale.png")
    shop.down = False
    state_is(page, "Live")
    expect(page.locator("#notice")).to_be_hidden()
    # the work list asks by itself, and a browser says what it was answered
    assert [each for each in watch.complaints if name != "fraud" or "503" not in each] == []


@pytest.mark.parametrize("name", PAGES)
def test_before_the_first_event_a_page_says_so(
    open_page: Open, accessible: Accessible, shop: Shop, watch: Watch, screenshots: Path, name: str
) -> None:
    shop.opened_ms = shop.now + 60_000
    shop.now += 1_000  # the server may have read the open shop already, and shares a reading for a moment of this clock
    page = open_page(PAGES[name].path, scheme="dark")
    state_is(page, "Waiting")
    expect(page.locator(".empty:visible").first).to_be_visible()
    page.screenshot(path=screenshots / f"{name}-empty.png", full_page=True)
    assert accessible(page) == []
    shop.now += 120_000
    state_is(page, "Live")
    assert watch.complaints == []


@pytest.mark.parametrize("name", PAGES)
def test_everything_is_reached_by_the_keyboard(open_page: Open, name: str) -> None:
    page = open_page(PAGES[name].path)
    state_is(page, "Live")
    wanted = set(
        page.evaluate(
            """() => [...document.querySelectorAll(
                "a[href], button:enabled, input:enabled:not([type=radio]), input:checked, [tabindex='0']")]
              .filter((each) => each.checkVisibility() && !each.closest("[hidden]"))
              .map((each, n) => (each.dataset.stop = String(n)))"""
        )
    )
    reached: list[str] = []
    for _ in range(len(wanted) + 3):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.dataset.stop ?? ''"))
    assert wanted <= set(reached)
    # in the order of the page
    order = [int(stop) for stop in dict.fromkeys(reached) if stop]
    assert order == sorted(order)


def test_the_skip_link_comes_first_and_leads_to_the_figures(open_page: Open) -> None:
    page = open_page()
    state_is(page, "Live")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the figures"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_a_policy_violation_would_be_seen(open_page: Open, watch: Watch) -> None:
    page = open_page()
    page.evaluate("document.body.append(Object.assign(document.createElement('img'), { src: 'https://192.0.2.1/x.png' }))")
    expect(page.locator("body > img")).to_have_count(1)
    page.wait_for_function("document.images[document.images.length - 1].complete")
    assert any("CSP violation" in complaint for complaint in watch.complaints)


def test_the_checks_would_see_an_unreadable_page(open_page: Open, accessible: Accessible) -> None:
    page = open_page()
    state_is(page, "Live")
    page.evaluate("document.querySelector('#events').style.color = getComputedStyle(document.body).backgroundColor")
    page.evaluate("document.querySelector('#pause').textContent = ''")
    found = accessible(page)
    assert any(fault.startswith("color-contrast") for fault in found)
    assert any(fault.startswith("button-name") for fault in found)


def test_the_theme_is_chosen_and_stays(open_page: Open) -> None:
    page = open_page(scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Theme: system").press("Enter")
    page.get_by_role("button", name="Theme: light").press("Enter")
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    dark = page.evaluate(ground)
    assert dark != light
    page.goto(page.url.rstrip("/") + "/pipeline")
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert page.evaluate(ground) == dark
    page.get_by_role("button", name="Theme: dark").click()
    assert page.evaluate(ground) == light


def test_a_server_that_goes_away_and_comes_back(open_page: Open, site: Site) -> None:
    page = open_page()
    state_is(page, "Live")
    site.stop()
    state_is(page, "Disconnected")
    assert number(page, "#events") > 0
    site.start()
    expect(page.locator("#state-word")).to_have_text("Live", timeout=15_000)


def test_the_api_is_described_here(open_page: Open, accessible: Accessible, watch: Watch, screenshots: Path) -> None:
    page = open_page("/api")
    expect(page.locator("#operations h2")).to_have_count(10)
    expect(page.get_by_role("heading", name="/v1/aggregates")).to_be_visible()
    page.screenshot(path=screenshots / "api.png", full_page=True)
    assert accessible(page) == []
    assert (watch.hosts, watch.complaints) == ({"127.0.0.1"}, [])


def test_a_cut_label_would_be_seen(open_page: Open) -> None:
    page = open_page()
    state_is(page, "Live")
    expect(page.locator("#chart-revenue canvas")).to_be_visible()
    page.get_by_role("button", name="Pause").click()  # else all is drawn again
    page.evaluate(
        """() => {
          document.querySelector("#events").style = "text-overflow: clip; width: 1.5ch";
          document.querySelector("#orders").style = "position: fixed; left: 4rem; top: 1rem";
          const pen = document.querySelector("#chart-revenue canvas").getContext("2d");
          pen.fillText("150.000 €", -9, 20);
        }"""
    )
    found = boxes.faults(page)
    assert any(fault.startswith("cut: ") for fault in found), found
    assert any(fault.startswith("covered: ") for fault in found), found
    assert "cut on its chart: 150.000 €" in found


def test_money_has_the_decimals_of_the_answers(open_page: Open) -> None:
    """A browser's own are those of cash: it would show 1,234.56 HUF as 123,456."""
    page = open_page("/fraud")
    shown = page.evaluate(
        """async (codes) => {
          const { major } = await import("/static/format.js");
          return codes.map((code) => major(1000, code));
        }""",
        codes := [*EXPONENTS, "EUR", "HUF", "COP", "IDR", "RSD"],
    )
    assert dict(zip(codes, shown, strict=True)) == {code: 1000 / 10 ** exponent(code) for code in codes}
    huf = page.evaluate("async () => (await import('/static/format.js')).money(12345, 'HUF')")
    assert "123.45" in huf
