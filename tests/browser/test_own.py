"""The page of a shop's own applications, over rows in DynamoDB's table as workers write them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from clickstream.answers import HOUR, Application
from clickstream.answers.reading import Answers
from clickstream.aws import Clients
from clickstream.consumers.analytics.views import ShardProgress
from clickstream.settings import Settings
from tests.browser.conftest import Site
from tests.browser.watching import Watch
from tests.unit.serving import wishes
from tests.unit.serving.shop import HALVES, Shop
from tests.unit.serving.wishes import APPLICATION, EVER, THIS_HOUR, WISHES

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
Accessible = Callable[[Page], list[str]]


class Wishing(Shop):
    """With the wishlist's own workers, once they have begun."""

    begun = True

    def progress(self) -> list[ShardProgress]:
        own = [
            ShardProgress(
                application="wishlist",
                shard=shard,
                hash_range=keys,
                watermark_ms=self.now - 1_000,
                arrived_to=self.now - 2_000,
                whole_to=self.now - 2_000,
                updated_at=(self.now if self.silent_since is None else self.silent_since) - 500,
            )
            for shard, keys in zip(wishes.SHARDS, HALVES, strict=True)
        ]
        return [*super().progress(), *(own if self.begun else ())]


@pytest.fixture
def shop() -> Wishing:
    return Wishing()


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    with wishes.stored(monkeypatch) as clients:
        yield clients


@pytest.fixture
def application() -> Application:
    return APPLICATION


@pytest.fixture
def site(shop: Wishing, clients: Clients, application: Application) -> Iterator[Site]:
    site = Site(shop, own=Answers(clients, Settings(), {application.name: application}))
    yield site
    site.stop()
    site.close()


def fill(clients: Clients) -> None:
    products = ["sku-4100", "<b>wool</b> blanket", "a-very-long-product-name-without-any-space-" + "x" * 80, "sku-4137", "é"]
    for back in range(5):
        for place, key in enumerate(products):
            times, users = 30 - 5 * place - back, [f"user-{n}" for n in range(12 - place)]
            tags = ["birthday"] * (9 - place) + ["garden"] * 3 + ["children's room"]
            for shard in (0, 1):
                wishes.row(
                    clients,
                    Settings(),
                    WISHES,
                    THIS_HOUR - back * HOUR,
                    key,
                    shard,
                    wishes=[1] * times,
                    wishers=users,
                    tags=tags,
                )
    wishes.seen(clients, Settings(), THIS_HOUR, complete_to=THIS_HOUR)
    for n in range(14):
        wishes.row(clients, Settings(), EVER, 0, f"sku-{n}", dearest=[100_000 * n])


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_own_answers_are_live_and_stay_on_this_machine(
    open_page: Open, accessible: Accessible, clients: Clients, watch: Watch, screenshots: Path, scheme: str, width: int
) -> None:
    fill(clients)
    page = open_page("/own", width, scheme)
    expect(page.locator("#state-word")).to_have_text("Live")
    wished = page.get_by_role("region", name="wishlist: wishes")
    # the newest windows, the one that goes on first
    expect(wished.get_by_role("rowheader")).to_have_count(5)
    expect(wished.get_by_role("rowheader").first).to_have_text("24 Nov 2026, 13:00 to 14:00 UTC · more may come")
    expect(wished.get_by_role("rowheader").last).to_have_text("24 Nov 2026, 09:00 to 10:00 UTC")
    first = wished.locator("tbody").first.locator("tr:not(.group)")
    expect(first.first).to_contain_text("sku-4100")
    expect(first.first.locator("td").nth(1)).to_have_text("60")
    expect(first.nth(1)).to_contain_text("<b>wool</b> blanket")
    expect(page.get_by_role("region", name="wishlist: ever").locator("tbody tr:not(.group)")).to_have_count(14)
    page.screenshot(path=screenshots / f"own-{scheme}-{width}.png", full_page=True)

    # what a worker writes is seen without a reload
    wishes.row(clients, Settings(), WISHES, THIS_HOUR, "just now", wishes=[1] * 100)
    expect(first.first).to_contain_text("just now")

    # nothing is wider than the screen, and no text is cut
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    labels = "[...document.querySelectorAll('h2, nav a, .panel header p, th, td')]"
    cut = f"{labels}.filter((each) => each.scrollWidth > each.clientWidth + 1).map((each) => each.textContent)"
    assert page.evaluate(cut) == []
    assert accessible(page) == []
    assert watch.hosts == {"127.0.0.1"}
    assert watch.complaints == []


def test_before_anything_a_table_says_what_fills_it(
    open_page: Open, accessible: Accessible, clients: Clients, shop: Wishing, screenshots: Path
) -> None:
    shop.begun = False
    page = open_page("/own", 390)
    wished = page.locator("section", has_text="wishlist: wishes")
    expect(wished).to_contain_text("No rows in the newest windows. clickstream worker wishlist fills this table.")
    page.screenshot(path=screenshots / "own-empty.png", full_page=True)
    assert accessible(page) == []
    shop.begun = True
    shop.now += 1_000  # a reading is shared for a moment
    wishes.row(clients, Settings(), WISHES, THIS_HOUR, "p", wishes=[1])
    expect(wished.locator("tbody tr")).to_have_count(2)


def test_a_table_that_is_away_leaves_the_others(open_page: Open, clients: Clients, watch: Watch) -> None:
    fill(clients)
    clients.dynamodb.delete_table(TableName="clickstream-wishlist-wishes")
    page = open_page("/own")
    expect(page.locator("section", has_text="wishlist: wishes")).to_contain_text("no table clickstream-wishlist-wishes")
    expect(page.get_by_role("region", name="wishlist: ever").locator("tbody tr")).to_have_count(15)
    assert watch.complaints == []


def test_while_it_loads_and_from_page_to_page(open_page: Open, shop: Wishing) -> None:
    shop.hangs = True
    page = open_page("/own")
    expect(page.locator("main")).to_have_attribute("aria-busy", "true")
    shop.hangs = False
    shop.holding.set()
    expect(page.locator("main")).to_have_attribute("aria-busy", "false")
    page.get_by_role("link", name="Pipeline").click()
    page.get_by_role("link", name="Own answers").click()
    expect(page).to_have_title("Own answers · clickstream")


def test_a_table_is_to_be_had_as_a_file(open_page: Open, clients: Clients, tmp_path: Path) -> None:
    fill(clients)
    page = open_page("/own")
    with page.expect_download() as started:
        page.get_by_role("link", name="CSV of wishlist: wishes").click()
    assert started.value.suggested_filename == "clickstream-wishlist-wishes.csv"
    started.value.save_as(tmp_path / "wishes.csv")
    lines = (tmp_path / "wishes.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "start,end,key,wishes,wishers,tags"
    assert len(lines) == 26


class TestWithoutTables:
    @pytest.fixture
    def application(self) -> Application:
        return Application("reminders", on={}, answers=[])

    def test_the_page_says_so(self, open_page: Open) -> None:
        page = open_page("/own")
        expect(page.locator("#empty-own")).to_contain_text("keep no tables")
