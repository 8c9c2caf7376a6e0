"""The collector's browser snippet, in a real Chromium on a shop's page of another origin, against the real application."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from clickstream.identifiers import uuid7
from clickstream.producers.collector import server as web
from clickstream.producers.collector.app import Clocks, create_app
from clickstream.producers.collector.clients import keys
from clickstream.producers.collector.clients.fingerprints import Fingerprints
from clickstream.web.listening import listen
from tests.unit.collector.conftest import Site
from tests.unit.collector.stream import Stream

pytestmark = pytest.mark.browser

KEY, ENTRY = keys.generate("page")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


class Shop:
    """A page that loads the snippet from a collector on another port, and the stream behind it."""

    def __init__(self, folder: Path) -> None:
        self.stream = Stream()
        listener = listen("127.0.0.1", 0)
        collector = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._pages = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
        self.url = f"http://127.0.0.1:{self._pages.server_address[1]}"
        script = f'<script src="{collector}/clickstream.js" data-key="{KEY}"></script>'
        (folder / "index.html").write_text(f'<!doctype html><link rel="icon" href="data:,"><title>shop</title>{script}')
        (folder / "next.html").write_text('<!doctype html><link rel="icon" href="data:,"><title>next</title>')
        app = create_app(
            self.stream,
            Fingerprints(b"a secret of the test"),
            Clocks(monotonic=time.monotonic, wall_ms=lambda: time.time_ns() // 1_000_000),
            keys=[ENTRY],
            origins=[self.url],
        )
        ready = threading.Event()
        self._server = web.server(app, on_ready=ready.set, on_stop=app.state.drain)
        self._threads = [
            threading.Thread(target=self._server.run, kwargs={"sockets": [listener]}),
            threading.Thread(target=self._pages.serve_forever, args=(0.05,)),
        ]
        for thread in self._threads:
            thread.start()
        assert ready.wait(10)

    def stop(self) -> None:
        self._server.should_exit = True
        self._pages.shutdown()
        for thread in self._threads:
            thread.join(20)
        self._pages.server_close()

    def taken(self) -> list[dict[str, object]]:
        site = Site()
        site.stream = self.stream
        return site.taken()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    shop.stop()


@pytest.fixture
def page(chromium: Browser, shop: Shop) -> Iterator[Page]:
    page = chromium.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(shop.url)
    yield page
    page.close()
    assert problems == []


def until(page: Page, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)


def test_events_arrive_with_the_ids_that_the_page_gave_them(page: Page, shop: Shop) -> None:
    given = page.evaluate(
        "clickstream.identify('u-7'); [clickstream.track('page_view', {url: '/a'}), clickstream.track('login')]"
    )
    until(page, lambda: len(shop.stream.records) == 2)
    assert [event["event_id"] for event in shop.taken()] == given
    assert [event["type"] for event in shop.taken()] == ["page_view", "login"]
    assert {event["user_id"] for event in shop.taken()} == {"u-7"}
    assert all(len(str(event_id)) == len(uuid7(0, 0)) and str(event_id)[14] == "7" for event_id in given)


def test_what_the_stream_does_not_take_is_sent_again_under_the_same_id(page: Page, shop: Shop) -> None:
    shop.stream.room = 1
    given = page.evaluate("[1, 2, 3].map((n) => clickstream.track('page_view', {url: `/${n}`}))")
    until(page, lambda: len(shop.stream.records) == 1)
    shop.stream.room = None
    shop.stream.mood = "takes"
    until(page, lambda: len(shop.stream.records) == 3)
    assert [event["event_id"] for event in shop.taken()] == given


def test_leaving_the_page_sends_what_waits(page: Page, shop: Shop) -> None:
    given = page.evaluate(
        f"const id = clickstream.track('page_view', {{url: '/last'}}); location.href = '{shop.url}/next.html'; id"
    )
    until(page, lambda: len(shop.stream.records) == 1)
    assert [event["event_id"] for event in shop.taken()] == [given]


def test_a_visitor_and_a_session_stay_over_pages(page: Page, shop: Shop) -> None:
    page.evaluate("clickstream.track('page_view')")
    until(page, lambda: len(shop.stream.records) == 1)
    page.reload()
    page.evaluate("clickstream.track('page_view')")
    until(page, lambda: len(shop.stream.records) == 2)
    first, second = shop.taken()
    assert (first["user_id"], first["session_id"]) == (second["user_id"], second["session_id"])


def test_more_than_a_beacon_holds_leaves_or_waits_for_the_next_page(page: Page, shop: Shop) -> None:
    """Twenty events of 4 kB are 80 kB; a browser takes 64 kB of beacons at once."""
    given = page.evaluate(
        f"""const ids = Array.from({{length: 20}}, (_, n) => clickstream.track("search", {{query: "x".repeat(1900) + n,
              context: {{referrer: "y".repeat(2000)}}}}));
            location.href = '{shop.url}/next.html'; ids"""
    )
    until(page, lambda: len({event["event_id"] for event in shop.taken()}) >= 10)
    page.goto(shop.url)
    until(page, lambda: {event["event_id"] for event in shop.taken()} == set(given))


def test_what_the_stream_did_not_take_before_the_page_went_is_sent_by_the_next(page: Page, shop: Shop) -> None:
    page.evaluate("navigator.sendBeacon = () => false")
    given = page.evaluate(f"const id = clickstream.track('login'); location.href = '{shop.url}/next.html'; id")
    page.wait_for_url("**/next.html")
    assert shop.taken() == []
    page.goto(shop.url)
    until(page, lambda: len(shop.stream.records) == 1)
    assert [event["event_id"] for event in shop.taken()] == [given]


@pytest.mark.parametrize("nobody", ["null", "undefined", "{}", "NaN", "''", "[]", "true", "1.5", "'u'.repeat(257)", ""])
def test_nobody_is_not_a_visitor(page: Page, shop: Shop, nobody: str) -> None:
    told: list[str] = []
    page.on("console", lambda message: told.append(message.type))
    page.evaluate(f"clickstream.track('login'); clickstream.identify({nobody}); clickstream.track('login')")
    until(page, lambda: len(shop.stream.records) == 2)
    anonymous, still = (event["user_id"] for event in shop.taken())
    assert anonymous == still
    assert len(str(anonymous)) == 36
    assert told == ["error"]


def test_a_number_is_a_visitor(page: Page, shop: Shop) -> None:
    page.evaluate("clickstream.identify(7); clickstream.track('login')")
    until(page, lambda: len(shop.stream.records) == 1)
    assert shop.taken()[0]["user_id"] == "7"


def test_what_is_rejected_or_not_kept_is_told_in_the_console_and_not_sent_again(page: Page, shop: Shop) -> None:
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.evaluate("clickstream.track('search', {query: 5})")
    until(page, lambda: any("refused" in line for line in told))
    page.evaluate("clickstream.track('login', {colour: 1}); clickstream.track('login', {colour: 2})")
    until(page, lambda: len(shop.stream.records) == 2)
    until(page, lambda: any("not kept" in line for line in told))
    assert [event["type"] for event in shop.taken()] == ["login", "login"]
    assert [line.partition(", since")[0] for line in told if "kept" in line] == ["clickstream: $.colour is not kept"]
