"""What of a page's text is cut or covered: by the boxes that the browser has laid out, and those of labels on a canvas."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

_HERE = Path(__file__).parent
#: Before the page's own scripts.
CANVAS_WATCH = (_HERE / "canvas_watch.js").read_text()
_FAULTS = (_HERE / "faults.js").read_text()


def faults(page: Page) -> list[str]:
    """One line each. An ellipsis says that something is left out, and a region that scrolls shows it: neither is a cut."""
    found: list[str] = page.evaluate(_FAULTS)
    return found
