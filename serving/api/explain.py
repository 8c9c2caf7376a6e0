"""``GET /v1/explain/{event_id}``: an event's life, for the API and the page ``/explain?event=…``.

The dead-letter queue is not read here: a whole reading would hide its letters from a redrive, at anybody's request.
``clickstream explain`` reads it. That an application has rejected the event is answered without it.
"""

import asyncio
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request

from clickstream.consumers.explain.views import Life, Limit
from clickstream.serving.api.operation import Operation, key

#: Searches of the stream at once: they share each shard's five reads in a second with the workers.
AT_ONCE = 2
#: Then the answer says what was not searched. Shorter than the patience of a proxy.
WITHIN_S = 20


class Searches:
    """A bounded number of searches of the stream by ``search``, which blocks: ``consumers.explain.views.Explainer.life``."""

    def __init__(self, search: Callable[..., Life]) -> None:
        self._search = search
        self._free = asyncio.Semaphore(AT_ONCE)

    async def life(self, request: Request, *, event_id: str, user_id: str | None) -> Life:
        """Ends at its limit, or when the client goes. Refused with 503 while ``AT_ONCE`` searches are under way."""
        if self._free.locked():
            raise HTTPException(503, "other searches of the stream are under way", {"Retry-After": str(WITHIN_S // 2)})
        limit = Limit(WITHIN_S)
        gone = asyncio.create_task(_gone(request))
        gone.add_done_callback(lambda _: limit.cancel())
        try:
            async with self._free:
                return await run_in_threadpool(self._search, event_id, user_id=user_id, limit=limit)
        finally:
            gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def is_found(life: Life) -> bool:
    """True too while a part of the stream was not searched: it may be there."""
    return bool(life.puts or life.not_searched)


EVENT_ID = key("event_id", "event_id", "of the event", place="path")
ORDER = key("order", "order_id", "that the event placed")
USER = key("user", "user_id", "reads only the shards where this user's events can be")
EXPLAIN = Operation(
    "/v1/explain/{event_id}",
    "One event's whole life, as far as the stream still holds it",
    "searches",
    Life,
    Searches.life,
    (EVENT_ID, USER),
    is_found=is_found,
)
