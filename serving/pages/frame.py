"""The documents of the pages: one frame around what each shows, rendered once at the start; and the files that they load."""

import os
from pathlib import Path
from pkgutil import resolve_name
from typing import NamedTuple

from starlette.staticfiles import StaticFiles

from clickstream.consumers.needs import declared

PAGES = Path(__file__).parent
STATIC = PAGES.parent / "static"


class Page(NamedTuple):
    path: str
    title: str
    name: str
    """Of its folder beside this module, and of the template and the script in it."""


NOW = Page("/", "Now", "now")
FRAUD = Page("/fraud", "Fraud", "fraud")
RECOMMENDATIONS = Page("/recommendations", "Recommendations", "recommendations")
PIPELINE = Page("/pipeline", "Pipeline", "pipeline")
API = Page("/api", "API", "api")
#: Of all applications that are declared by their answers.
OWN = Page("/own", "Own answers", "own")
#: Of one event, named in the address.
EXPLAIN = Page("/explain", "Explain", "explain")
#: Dead letters.
LETTERS = Page("/letters", "Letters", "letters")


def navigation() -> tuple[Page, ...]:
    """The pages that applications declare, and the platform's own."""
    return (*(resolve_name(needs.page) for needs in declared() if needs.page), OWN, EXPLAIN, PIPELINE, LETTERS)


def html(page: Page, offered: tuple[Page, ...], token: str = "") -> bytes:
    """The page's document, with links to the pages ``offered`` and the ``token`` for changes."""
    main = (PAGES / page.name / f"{page.name}.html").read_text()
    frame = (PAGES / "frame.html").read_text()
    links = "\n".join(
        f'  <a href="{each.path}"{" aria-current=" + chr(34) + "page" + chr(34) if each is page else ""}>{each.title}</a>'
        for each in offered
    )
    filled = {"title": page.title, "name": page.name, "links": links, "main": main, "csrf": token}
    for name, text in filled.items():
        frame = frame.replace(f"{{{{{name}}}}}", text)
    return frame.encode()


class Assets(StaticFiles):
    """The files under ``/static``; ``/static/pages/<name>.js`` is the script in the page's own folder."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC)
        self._scripts = StaticFiles(directory=PAGES)
        self._places = {f"pages/{page.name}.js": f"{page.name}/{page.name}.js" for page in (*navigation(), API)}

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        return self._scripts.lookup_path(self._places[path]) if path in self._places else super().lookup_path(path)
