"""The web application: the pages, their live feeds, and the JSON API. Everything it depends on is passed in."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Set
from functools import partial

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from clickstream.answers.reading import Answers
from clickstream.consumers.analytics.views import Aggregates
from clickstream.consumers.dead_letters.views import Look
from clickstream.consumers.explain.views import Life
from clickstream.consumers.fraud.views import Decisions
from clickstream.consumers.recommendations.views import Recommendations
from clickstream.errors import Forbidden, Missing, Rejected, RetryLater, UserMistake
from clickstream.money import EXPONENTS
from clickstream.serving import metrics
from clickstream.serving.api import openapi
from clickstream.serving.api.coalescing import Remembered
from clickstream.serving.api.explain import Searches
from clickstream.serving.api.recommendations import Visitors
from clickstream.serving.api.routes import Readers, json, offered, routes
from clickstream.serving.login import Login, LoginPage, LoginRequired
from clickstream.serving.moments import Clock
from clickstream.serving.pages import frame
from clickstream.serving.pages.explain import page as explain_page
from clickstream.serving.pages.live import PERIOD_S, Feed, Live, reason
from clickstream.serving.pages.now.spans import DEFAULT, span
from clickstream.serving.pages.pictures import feeds_of
from clickstream.serving.progress import ProgressReader, halted
from clickstream.serving.security import HEADERS, OwnPages, Security
from clickstream.web.listening import LOOPBACK_NAMES

log = structlog.get_logger()
#: Older than this, a reading of the stores no longer counts.
READY_MS = 10_000
#: How long all who ask for dead letters share one look at the queue: it is some calls.
LOOK_S = 5.0


def create_app(
    views: Aggregates,
    clock: Clock,
    *,
    monotonic: Clock = lambda: time.monotonic_ns() // 1_000_000,
    title: str = "clickstream",
    hosts: Set[str] | None = LOOPBACK_NAMES,
    period_s: float = PERIOD_S,
    offers: Recommendations | None = None,
    risk: Decisions | None = None,
    lives: Callable[..., Life] | None = None,
    placing: Callable[[str], tuple[str, str] | None] = lambda _: None,
    letters: Callable[[], Look] | None = None,
    own: Answers | None = None,
    token: str | None = None,
    client_keys: Set[str] = frozenset(),
) -> Starlette:
    """The application over the read models.

    ``clock`` is the wall clock, ``monotonic`` the one that intervals are measured by. ``hosts`` are the host names answered
    to, None for any; ``period_s`` is the time between two reads of a live feed.
    Without ``offers`` there is no page and no answer about recommendations, without ``risk`` none about fraud, without
    ``lives`` none about single events, which ``placing`` finds by an order, without ``letters`` none of dead letters, without
    ``own`` none of a shop's own applications.
    With a ``token``, nothing but health is answered without it; recommendations are answered to the holders of the
    ``client_keys`` (SHA-256 in hex) as well.
    ``app.state.end_streams()`` ends every open stream, so that a server that shuts down need not wait for the pages to close.
    """
    readers = Readers(
        windows=views,
        progress=ProgressReader(views, monotonic),
        risk=risk,
        visitors=None if offers is None else Visitors(offers),
        searches=None if lives is None else Searches(lives),
        letters=None if letters is None else Remembered(letters, LOOK_S, lambda: monotonic() / 1000),
        own=own,
    )
    operations = offered(readers)
    feeds = feeds_of(readers, partial(Live, progress=readers.progress, clock=clock, title=title, period_s=period_s))
    needed = {frame.FRAUD: risk, frame.RECOMMENDATIONS: offers, frame.OWN: own, frame.EXPLAIN: lives, frame.LETTERS: letters}
    linked = tuple(page for page in frame.navigation() if needed.get(page, views) is not None)
    login = None if token is None else Login(token, lambda: clock() / 1000, client_keys)
    guard = OwnPages(secrets.token_urlsafe(24) if login is None else login.page_token(), with_login=login is not None)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        reading = [asyncio.create_task(feed.run(), name=f"feed {name}") for name, feed in feeds.items()]
        try:
            yield
        finally:
            for task in reading:
                task.cancel()
            await asyncio.wait(reading)

    async def readyz(_: Request) -> Response:
        """Whether the answers are fresh: the stores answered lately, and every application moves."""
        reader, now_ms = feeds["pipeline"], clock()
        told = {"status": "not ready", "read_at": None if reader.seen is None else reader.seen.read_at}
        if reader.seen is None or now_ms - reader.seen.read_at > READY_MS:
            return json(told | {"stuck": "stores", "reason": reader.problem or "not read yet"}, 503)
        if found := halted(reader.seen.rows, now_ms):
            reason = ", ".join(f"{name} {why}" for name, why in found.items())
            return json(told | {"stuck": "applications", "reason": reason}, 503)
        return json(told | {"status": "ready"})

    async def live(request: Request) -> Response:
        name = request.path_params["feed"]
        if name == "now":
            name = f"now/{span(request.query_params.get('range', DEFAULT)).name}"
        if name not in feeds:
            raise HTTPException(404, "there is no such feed")
        if feeds[name].broadcast.closed:
            raise HTTPException(503, "the live feed has ended; the server's log says why")
        return Feed(feeds[name].broadcast)

    served = [
        *([] if readers.searches is None else [explain_page.route(readers.searches, placing, linked)]),  # before the fixed ones
        *(
            Route(page.path, _fixed(frame.html(page, linked, guard.token), "text/html; charset=utf-8"))
            for page in (*linked, frame.API)
        ),
        Route("/favicon.ico", _fixed((frame.STATIC / "favicon.svg").read_bytes(), "image/svg+xml")),
        Route("/healthz", _fixed(msgspec.json.encode({"status": "ok"}), "application/json")),
        Route("/readyz", readyz),
        Route("/v1/live/{feed}", live),
        *routes(operations, readers, clock, guard),
        Route("/v1/openapi.json", _fixed(openapi.document(operations, with_login=login is not None), "application/json")),
        metrics.route(views, clock),
        # before the other scripts: the decimals of currencies have one owner
        Route("/static/currencies.js", _fixed(b"export default " + msgspec.json.encode(EXPONENTS), "text/javascript")),
        Mount("/static", frame.Assets()),
    ]
    middleware = [Middleware(Security, hosts=hosts)]
    if login is not None:
        served.append(Route("/login", LoginPage(login).answer, methods=["GET", "POST"]))
        middleware.append(Middleware(LoginRequired, login=login))
    handled = (UserMistake, Rejected, Missing, RetryLater, HTTPException, Exception)
    handlers = dict.fromkeys(handled, _problem)
    app = Starlette(routes=served, middleware=middleware, exception_handlers=handlers, lifespan=lifespan)

    def end_streams() -> None:
        for feed in feeds.values():
            feed.broadcast.close()

    app.state.end_streams = end_streams
    return app


def _fixed(content: bytes, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(_: Request) -> Response:
        return Response(content, media_type=media_type)

    return endpoint


async def _problem(_: Request, error: Exception) -> Response:
    """Why there is no answer. To a fault it is given outside of all middleware; Starlette then raises the error again."""
    match error:
        case HTTPException():
            return json({"error": error.detail}, error.status_code, error.headers)
        case Missing() | RetryLater():
            if isinstance(error, Forbidden):
                log.error("a store refuses this server", action=error.action, resource=error.resource, reason=str(error))
            hint = "is the store up? `clickstream local status` tells on a laptop; the same request may succeed later"
            return json({"error": reason(error), "hint": hint}, 503, {"Retry-After": "2"})
        case UserMistake() | Rejected():
            return json({"error": str(error), "hint": getattr(error, "hint", "")}, 400)
    return json({"error": "a fault of this server; its log says more"}, 500, HEADERS)
