"""Every page in every state, as a person would see it: ``python -m tests.browser.screenshots [PAGE …]``.

Writes build/screenshots/PAGE-STATE-LANGUAGE-SCHEME-WIDTH.png and a contact sheet of each page, build/screenshots/PAGE.png, and
tells what boxes and axe find wrong. The exit code is 1 when they find anything.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from clickstream.answers.reading import Answers
from clickstream.settings import Settings
from tests.browser import axe, boxes
from tests.browser.conftest import FLAGS, Site
from tests.browser.test_own import Wishing, fill
from tests.unit.serving import wishes
from tests.unit.serving.shop import Shop

FOLDER = Path("build/screenshots")
PATHS = {
    "now": "/",
    "fraud": "/fraud",
    "recommendations": "/recommendations",
    "own": "/own",
    "pipeline": "/pipeline",
    "letters": "/letters",
    "explain": "/explain?event=a/b",
    "api": "/api",
    "login": "/",
}
#: Whose content is the same whatever the shop does.
STILL = ("letters", "explain", "api", "login")
LANGUAGES = {"en": "en-GB", "de": "de-DE"}
SCHEMES = ("light", "dark")
WIDTHS = (1400, 390)


@contextmanager
def standing(page: str, state: str) -> Iterator[tuple[Site, str]]:
    """The site in a state, and the word that a page then says of it."""
    with ExitStack() as stack:
        shop, own = Shop(), None
        if page == "own":
            clients = stack.enter_context(wishes.stored(stack.enter_context(pytest.MonkeyPatch.context())))
            shop, own = Wishing(), Answers(clients, Settings(), {wishes.APPLICATION.name: wishes.APPLICATION})
            shop.begun = state != "empty"
            if shop.begun:
                fill(clients)
        shop.price = 1_250_000  # a minute's axis goes to 150.000 €
        shop.hangs = state == "loading"
        shop.patience_s = 600
        if state == "empty":
            shop.opened_ms = shop.now + 60_000
        if state == "killed":
            shop.silent_since = shop.now
            shop.now += 40_000
        site = Site(shop, token="a-token-that-is-long" if page == "login" else None, own=own)
        try:
            yield site, {"loading": "", "empty": "Waiting", "live": "Live", "killed": "Stale"}[state]
        finally:
            shop.holding.set()
            site.stop()
            site.close()


def taken(
    chromium: Browser, site: Site, word: str, name: str, look: tuple[str, str, int], accessible: Callable[[Page], list[str]]
) -> Iterator[str]:
    """Writes one picture; what is wrong on it."""
    page = name.partition("-")[0]
    language, scheme, width = look
    context = chromium.new_context(viewport={"width": width, "height": 1000}, color_scheme=scheme, locale=LANGUAGES[language])  # type: ignore[arg-type]  # a literal there
    context.add_init_script(boxes.CANVAS_WATCH)
    shown = context.new_page()
    shown.goto(site.url.rstrip("/") + PATHS[page])
    if word and page != "login":
        said = "(word) => document.querySelector('#state-word').textContent === word"
        shown.wait_for_function(said, arg=word, timeout=120_000)
    for _ in range(12):
        site.pass_time(2_000 if name.endswith("-live") else 0)
        shown.wait_for_timeout(60)  # lines and widths grow
    shown.screenshot(path=FOLDER / f"{name}-{language}-{scheme}-{width}.png", full_page=True)
    yield from boxes.faults(shown)
    yield from accessible(shown)
    context.close()


def sheet(page: str) -> None:
    """All pictures of a page on one, each at the same scale."""
    files = sorted(FOLDER.glob(f"{page}-*.png"))
    pictures = [Image.open(file).convert("RGB") for file in files]
    small = [each.resize((each.width // 3, each.height // 3), Image.Resampling.LANCZOS) for each in pictures]
    for width in WIDTHS:
        chosen = [each for each in small if each.width == width // 3]
        across = 4 if width > 1000 else 8
        height = max(each.height for each in chosen) + 8
        whole = Image.new("RGB", (across * (width // 3 + 8), -(-len(chosen) // across) * height), "#808080")
        for at, each in enumerate(chosen):
            whole.paste(each, (at % across * (width // 3 + 8), at // across * height))
        whole.save(FOLDER / f"{page}-{width}.png")


def main(pages: list[str]) -> int:
    accessible, wrong = axe.checker(), 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for page in pages or PATHS:
        # loading comes last: its readings hang until the end
        for state in ("live",) if page in STILL else ("empty", "live", "killed", "loading"):
            with standing(page, state) as (site, word), sync_playwright() as playwright:
                chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), headless=True, args=FLAGS)
                for look in product(LANGUAGES, SCHEMES, WIDTHS):
                    for fault in taken(chromium, site, word, f"{page}-{state}", look, accessible):
                        wrong += 1
                        sys.stdout.write("\t".join((page, state, *map(str, look), fault)) + "\n")
                chromium.close()
        sheet(page)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
