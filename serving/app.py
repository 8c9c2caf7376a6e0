"""The web application: the page, its live feed, and the JSON API. Everything it depends on is passed in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Set
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from clickstream.errors import Missing, RetryLater, UserMistake
from serving import explain_api, recommendations
from serving.live import PERIOD_S, Feed, Live
from serving.moments import parse_moment
from serving.overview import Overview
from serving.periods import granularity, stretch
from serving.present import aggregates_json, analytics_complete_to, progress_json
from serving.read_model import Clock, ReadModel
from serving.security import HEADERS, LOOPBACK_HOSTS, Security

STATIC = Path(__file__).parent / "static"
MOST_TOP = 100
#: Older than this, the last successful read of the stores no longer counts as ready.
READY_MS = 10_000


def create_app(
    views: ReadModel,
    clock: Clock,
    *,
    title: str = "clickstream",
    hosts: Set[str] | None = LOOPBACK_HOSTS,
    period_s: float = PERIOD_S,
    offers: recommendations.Offers | None = None,
    lives: explain_api.Lives | None = None,
) -> Starlette:
    """The application over a read model.

    ``hosts`` are the host names answered to, None for any; ``period_s`` is the time between two reads of the live feed.
    Without ``offers`` there is no answer about recommendations, without ``lives`` none about single events.
    ``app.state.end_streams()`` ends every open stream, so that a server that shuts down need not wait for the pages to close.
    """
    live = Live(Overview(views, title), clock, period_s)
    endpoints = _Endpoints(views, clock, live)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        reading = asyncio.create_task(live.run())
        try:
            yield
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading

    app = Starlette(
        routes=[
            Route("/", endpoints.page),
            Route("/favicon.ico", endpoints.favicon),
            Route("/healthz", endpoints.healthz),
            Route("/readyz", endpoints.readyz),
            Route("/v1/aggregates", endpoints.aggregates),
            Route("/v1/progress", endpoints.progress),
            Route("/v1/live", endpoints.live),
            *(recommendations.routes(offers) if offers is not None else []),
            *(explain_api.routes(lives) if lives is not None else []),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Security, hosts=hosts)],
        exception_handlers={
            UserMistake: _mistake,
            Missing: _away,
            RetryLater: _away,
            HTTPException: _refusal,
            Exception: _fault,
        },
        lifespan=lifespan,
    )
    app.state.end_streams = live.broadcast.close
    return app


class _Endpoints:
    def __init__(self, views: ReadModel, clock: Clock, live: Live) -> None:
        self._views = views
        self._clock = clock
        self._live = live

    async def page(self, request: Request) -> Response:
        return FileResponse(STATIC / "index.html")

    async def favicon(self, request: Request) -> Response:
        return FileResponse(STATIC / "favicon.svg")

    async def healthz(self, request: Request) -> Response:
        """This process answers."""
        return _json({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """The stores answered lately; if not, says that it is their side."""
        read_at = self._live.read_at_ms
        if read_at is not None and self._clock() - read_at <= READY_MS:
            return _json({"status": "ready", "read_at": read_at})
        reason = self._live.problem or "not read yet"
        return _json({"status": "not ready", "stuck": "stores", "reason": reason, "read_at": read_at}, 503)

    async def aggregates(self, request: Request) -> Response:
        query, now = request.query_params, self._clock()
        kind = granularity(query.get("granularity", "hour"))
        start, end = stretch(
            kind,
            parse_moment(query["from"], now) if "from" in query else None,
            parse_moment(query["to"], now) if "to" in query else None,
            now,
        )
        top = _top(query.get("top", "10"))
        # before the windows: what is said to be complete must be in them
        complete_to = analytics_complete_to(await run_in_threadpool(self._views.progress))
        windows = await run_in_threadpool(self._views.windows, kind, start, end, top=top)
        return _json(aggregates_json(kind, start, end, windows, complete_to))

    async def progress(self, request: Request) -> Response:
        rows = await run_in_threadpool(self._views.progress)
        now = self._clock()
        return _json(
            {
                "now": now,
                "complete_to": analytics_complete_to(rows),
                "progress": [progress_json(row, now) for row in rows],
            }
        )

    async def live(self, request: Request) -> Response:
        if self._live.broadcast.closed:
            raise HTTPException(503, "the live feed has ended; the server's log says why")
        return Feed(self._live.broadcast)


def _top(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_TOP):
        raise UserMistake(f"bad top {text!r}", hint=f"a number from 1 to {MOST_TOP}")
    return int(text)


def _json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status, headers, "application/json")


async def _mistake(_: Request, error: Exception) -> Response:
    return _json({"error": str(error), "hint": getattr(error, "hint", "")}, 400)


async def _away(_: Request, error: Exception) -> Response:
    hint = "is the store up? `clickstream local status` tells on a laptop; the same request may succeed later"
    return _json({"error": str(error), "hint": hint}, 503, {"Retry-After": "2"})


async def _refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _json({"error": error.detail}, error.status_code, error.headers)


async def _fault(_: Request, __: Exception) -> Response:
    """Answered outside of all middleware; Starlette then raises the error again, so the log has the traceback."""
    return _json({"error": "a fault of this server; its log says more"}, 500, HEADERS)
