"""The pages: one frame around what each shows, put together once, at the start. Of requests only an event goes into one."""

from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name
from typing import NamedTuple

from consumers.needs import declared

STATIC = Path(__file__).parent / "static"


class Page(NamedTuple):
    path: str
    name: str
    file: str
    """The name of its part in ``static/parts`` and of its module in ``static/pages``."""


NOW = Page("/", "Now", "now")
FRAUD = Page("/fraud", "Fraud", "fraud")
RECOMMENDATIONS = Page("/recommendations", "Recommendations", "recommendations")
PIPELINE = Page("/pipeline", "Pipeline", "pipeline")
API = Page("/api", "API", "api")
#: Of one event, named in the address; in no navigation.
EXPLAIN = Page("/explain", "An event's life", "explain")


def navigation() -> tuple[Page, ...]:
    """The pages that applications declare, and the platform's own."""
    return (*(resolve_name(needs.page) for needs in declared() if needs.page), PIPELINE)


def html(page: Page, offered: tuple[Page, ...]) -> bytes:
    """The page's document, with links to the pages ``offered``."""
    return framed(page, offered, (STATIC / "parts" / f"{page.file}.html").read_text()).encode()


def framed(page: Page, offered: tuple[Page, ...], main: str) -> str:
    """The frame around ``main``, which is HTML."""
    frame = (STATIC / "parts" / "frame.html").read_text()
    links = "\n".join(
        f'  <a href="{each.path}"{" aria-current=" + chr(34) + "page" + chr(34) if each is page else ""}>{each.name}</a>'
        for each in offered
    )
    # what is shown comes last: nothing in it is taken for a place to fill
    filled = {"name": page.name, "file": page.file, "links": links, "main": main}
    for name, text in filled.items():
        frame = frame.replace(f"{{{{{name}}}}}", text)
    return frame


def login() -> bytes:
    return (STATIC / "parts" / "login.html").read_bytes()
