"""The page ``/explain?event=…`` (and ``&user=…``): an event's life, found by its id or its order's, rendered by the server."""

from collections.abc import Callable, Sequence
from html import escape
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from clickstream.consumers.explain.views import Placing
from clickstream.errors import UserMistake
from clickstream.serving.api.explain import EVENT_ID, ORDER, USER, Searches, is_found
from clickstream.serving.pages import frame
from clickstream.serving.pages.explain import life as text
from clickstream.serving.security import FORM_POLICY

_PLACE = "<!-- life -->"
_UNKNOWN = (
    "No order {} is known. The order workflow knows orders: <code>clickstream worker orders</code> places those of purchases."
)
_SEVERAL = "Several purchases came under the id {}: the first placed the order, the others were refused."


def route(searches: Searches, placings: Callable[[str], Sequence[Placing]], offered: tuple[frame.Page, ...]) -> Route:
    """With links to the pages ``offered``; ``placings`` tells which events came with an order id, and blocks."""
    before, _, after = frame.html(frame.EXPLAIN, offered).decode().partition(_PLACE)

    def page(main: str, status: int = 200) -> Response:
        return HTMLResponse(before + main + after, status, {"Content-Security-Policy": FORM_POLICY})

    async def endpoint(request: Request) -> Response:
        event, order, user = (request.query_params.get(name) for name in ("event", "order", "user"))
        try:
            if event:
                asked = {"event_id": EVENT_ID.value(event, 0), "user_id": USER.value(user or None, 0)}
                life = await searches.life(request, **asked)
                return page(text.panel(life), 200 if is_found(life) else 404)
            if not order:
                return page("")
            found = await run_in_threadpool(placings, ORDER.value(order, 0))
        except UserMistake as error:
            return page(_notice(escape(f"{error}: {error.hint}")), 400)
        except HTTPException as error:
            return page(_notice(escape(f"{error.detail}; try again in some seconds")), error.status_code)
        if not found:
            return page(_notice(_UNKNOWN.format(escape(order))), 404)
        addresses = [f"{frame.EXPLAIN.path}?{urlencode({'event': each.event_id, 'user': each.user_id})}" for each in found]
        if len(found) == 1:
            return RedirectResponse(addresses[0], 303)
        links = "".join(
            f'<li><a class="id" href="{escape(address)}">{escape(each.event_id)}</a></li>'
            for address, each in zip(addresses, found, strict=True)
        )
        return page(f"{_notice(_SEVERAL.format(escape(order)))}<ul>{links}</ul>")

    return Route(frame.EXPLAIN.path, endpoint)


def _notice(html: str) -> str:
    return f'<p class="notice" role="status">{html}</p>'
