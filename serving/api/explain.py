"""``GET /v1/explain/{event_id}`` and the page ``/explain?event=…``: an event's life, as JSON and as HTML.

The dead-letter queue is never read here: that would hide its letters from a redrive, on anybody's click.
``clickstream explain`` reads it. That an application has rejected the event is told without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from consumers.explain.views import Life, Limit, as_json
from serving.ids import key
from serving.pages import frame as pages
from serving.pages.explain import life as life_text

#: Searches of the stream at once: they share each shard's five reads in a second with the workers.
AT_ONCE = 2
#: Then the answer says what was not searched. Shorter than the patience of a proxy.
WITHIN_S = 20
_LIFE = "<!-- life -->"


class Lives(Protocol):
    """``consumers.explain.views.Explainer``, or a test's; blocking."""

    @property
    def life(self) -> Callable[..., Life]: ...


def routes(lives: Lives, offered: tuple[pages.Page, ...]) -> list[Route]:
    """Both routes, for the application to take in; the page links to the pages ``offered``."""
    before, _, after = pages.framed(pages.EXPLAIN, offered, _LIFE).partition(_LIFE)

    explain = _Explain(lives)

    async def api(request: Request) -> Response:
        life = await explain.life(request.path_params["event_id"], request)
        return Response(msgspec.json.encode(as_json(life)), _status(life), None, "application/json")

    async def page(request: Request) -> Response:
        life = await explain.life(request.query_params.get("event", ""), request)
        return HTMLResponse(before + life_text.panel(life) + after, _status(life))

    return [Route("/v1/explain/{event_id:path}", api), Route("/explain", page)]


def _status(life: Life) -> int:
    """404 only when all of it was searched."""
    return 200 if life.puts or life.not_searched else 404


class _Explain:
    def __init__(self, lives: Lives) -> None:
        self._lives = lives
        self._under_way = 0

    async def life(self, event_id: str, request: Request) -> Life:
        """Ended by its limit, or when the client goes; refused while as many as may be are under way."""
        event_id = key(event_id, "event id")
        user = request.query_params.get("user")
        user_id = None if user is None else key(user, "user id")
        if self._under_way == AT_ONCE:
            raise HTTPException(503, "other searches of the stream are under way", {"Retry-After": str(WITHIN_S // 2)})
        limit = Limit(WITHIN_S)
        gone = asyncio.create_task(_gone(request))
        gone.add_done_callback(lambda _: limit.cancel())
        self._under_way += 1
        try:
            return await run_in_threadpool(self._lives.life, event_id, user_id=user_id, limit=limit)
        finally:
            self._under_way -= 1
            gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
