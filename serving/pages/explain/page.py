"""The page ``/explain?event=…``: an event's life, rendered by the server into the pages' frame."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from clickstream.serving.api.explain import EVENT_ID, USER, Searches, is_found
from clickstream.serving.pages import frame
from clickstream.serving.pages.explain import life as text

_LIFE = "<!-- life -->"


def route(searches: Searches, offered: tuple[frame.Page, ...]) -> Route:
    """With links to the pages ``offered``."""
    before, _, after = frame.framed(frame.EXPLAIN, offered, _LIFE).partition(_LIFE)

    async def endpoint(request: Request) -> Response:
        event_id = EVENT_ID.value(request.query_params.get("event", ""), 0)
        user_id = USER.value(request.query_params.get("user"), 0)
        life = await searches.life(request, event_id=event_id, user_id=user_id)
        return HTMLResponse(before + text.panel(life) + after, 200 if is_found(life) else 404)

    return Route(frame.EXPLAIN.path, endpoint)
