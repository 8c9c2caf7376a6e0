"""``GET /v1/explain/{event_id}`` and the page ``/explain?event=…``: an event's life, as JSON and as HTML.

``?letters=1`` also reads the dead-letter queue, which hides its letters from other readers for a moment: never by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from clickstream.errors import UserMistake
from consumers.explain.views import Life, as_json
from serving import life_text, pages

MOST_ID = 256
_LIFE = "<!-- life -->"


class Lives(Protocol):
    """``consumers.explain.views.Explainer``, or a test's; blocking."""

    @property
    def life(self) -> Callable[..., Life]: ...


def routes(lives: Lives, offered: tuple[pages.Page, ...]) -> list[Route]:
    """Both routes, for the application to take in; the page links to the pages ``offered``."""
    before, _, after = pages.framed(pages.EXPLAIN, offered, _LIFE).partition(_LIFE)

    async def api(request: Request) -> Response:
        life = await _life(lives, request.path_params["event_id"], request)
        return Response(msgspec.json.encode(as_json(life)), 200 if life.puts or life.letters else 404, None, "application/json")

    async def page(request: Request) -> Response:
        life = await _life(lives, request.query_params.get("event", ""), request)
        return HTMLResponse(before + life_text.panel(life) + after, 200 if life.puts or life.letters else 404)

    return [Route("/v1/explain/{event_id:path}", api), Route("/explain", page)]


async def _life(lives: Lives, event_id: str, request: Request) -> Life:
    if not 0 < len(event_id) <= MOST_ID:
        raise UserMistake("no event is named", hint="/explain?event=EVENT_ID")
    query = request.query_params
    return await run_in_threadpool(lives.life, event_id, user_id=query.get("user"), with_letters=query.get("letters") == "1")
