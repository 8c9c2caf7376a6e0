"""A real server on loopback and a real Chromium; without a Chromium these tests are skipped, but in CI they fail."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from clickstream.answers.reading import Answers
from clickstream.serving.app import create_app
from clickstream.web.listening import listen, url
from clickstream.web.server import Server
from tests.browser import axe, boxes
from tests.browser.watching import CSP_WATCH, Watch
from tests.unit.serving.desk import Desk, Window
from tests.unit.serving.letterbox import Letterbox
from tests.unit.serving.lives import Lives
from tests.unit.serving.shop import Shop

# a deadline for conditions, on a machine that does other things too; Playwright's own is 5 s
expect.set_options(timeout=20_000)

#: Without the networking flags Chromium looks up its maker's hosts at every start.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")  # not the session: Playwright keeps an event loop running, and other tests have their own
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        assert not os.environ.get("CI"), "CI installs Chromium (Debian package chromium); these tests must run there"
        pytest.skip("no Chromium on this machine (Debian package chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def shop() -> Shop:
    return Shop()


class Site:
    """The application on a free port of loopback, in a thread; can be taken down and brought back on the same port."""

    def __init__(self, shop: Shop, token: str | None = None, own: Answers | None = None) -> None:
        self._shop = shop
        self._token = token
        self._own = own
        self.desk = Desk(shop)
        self.letterbox = Letterbox()
        self._listener = listen("127.0.0.1", 0)
        self.url = url(self._listener)
        self.start()

    def start(self) -> None:
        app = create_app(
            self._shop,
            self._shop.clock,
            monotonic=self._shop.clock,
            title="shop",
            period_s=0.1,
            risk=self.desk,
            offers=Window(self._shop),
            lives=Lives().life,
            placing=Lives().placing,
            letters=self.letterbox,
            own=self._own,
            token=self._token,
        )
        ready = threading.Event()
        self._server = Server(app, drain_s=10, lifespan="on", on_ready=ready.set, on_stop=app.state.end_streams)
        # uvicorn closes the socket that it is given
        listener = self._listener.dup()
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]}, daemon=True)
        self._thread.start()
        assert ready.wait(10)

    def pass_time(self, ms: int) -> None:
        self._shop.now += ms

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
        assert not self._thread.is_alive()

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def site(shop: Shop) -> Iterator[Site]:
    site = Site(shop)
    yield site
    site.stop()
    site.close()


@pytest.fixture(scope="session")
def screenshots() -> Path:
    folder = Path("build/screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def open_page(chromium: Browser, site: Site, watch: Watch) -> Iterator[Callable[..., Page]]:
    """Opens a page of the site in a fresh context: its path, width in pixels, "light" or "dark", locale."""
    contexts: list[BrowserContext] = []

    def open_page(path: str = "/", width: int = 1440, scheme: str = "light", locale: str = "en-GB") -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 1000},
            color_scheme=scheme,  # type: ignore[arg-type]  # a literal there
            locale=locale,
        )
        context.add_init_script(CSP_WATCH)
        context.add_init_script(boxes.CANVAS_WATCH)
        contexts.append(context)
        page = context.new_page()
        watch.attach(page)
        page.goto(site.url.rstrip("/") + path)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def accessible() -> Callable[[Page], list[str]]:
    """What axe-core finds wrong on a page, one line each."""
    return axe.checker()
