"""The page ``/explain?event=…`` (and ``&user=…``): an event's life, found by its id or its order's, rendered by the server."""

from collections.abc import Callable
from html import escape

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from clickstream.errors import Missing, RetryLater, UserMistake
from clickstream.serving.api.explain import EVENT_ID, ORDER, USER, Searches, is_found
from clickstream.serving.pages import frame
from clickstream.serving.pages.explain import life as text
from clickstream.serving.security import FORM_POLICY

_PLACE = "<!-- life -->"


def route(searches: Searches, placing: Callable[[str], tuple[str, str] | None], offered: tuple[frame.Page, ...]) -> Route:
    """With links to the pages ``offered``; ``placing`` tells which event of whom placed an order, and blocks."""
    before, _, after = frame.html(frame.EXPLAIN, offered).decode().partition(_PLACE)

    def page(main: str, status: int = 200) -> Response:
        return HTMLResponse(before + main + after, status, {"Content-Security-Policy": FORM_POLICY})

    def told(words: str, status: int) -> Response:
        return page(f'<p class="notice" role="status">{escape(words)}</p>', status)

    async def endpoint(request: Request) -> Response:
        event, order, user = (request.query_params.get(name) for name in ("event", "order", "user"))
        try:
            if event:
                asked = {"event_id": EVENT_ID.value(event, 0), "user_id": USER.value(user or None, 0)}
                life = await searches.life(request, **asked)
                return page(text.panel(life), 200 if is_found(life) else 404)
            placed = await run_in_threadpool(placing, ORDER.value(order, 0)) if order else None
        except UserMistake as error:
            return told(f"{error}: {error.hint}", 400)
        except (RetryLater, Missing) as error:
            return told(f"{error}; the life of this event cannot be told now", 503)
        except HTTPException as error:
            return told(f"{error.detail}; try again in some seconds", error.status_code)
        if placed is not None:
            return RedirectResponse(text.address(*placed), 303)
        unknown = f"No order {order} is known: `clickstream worker orders` places them. The purchase's event id finds it too."
        return told(unknown, 404) if order else page("")

    return Route(frame.EXPLAIN.path, endpoint)
