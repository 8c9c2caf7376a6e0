"""What to show a visitor next, over HTTP, cacheable by whoever asks again.

``GET /v1/recommendations/{user_id}``   what the recommendations application stored after the visitor's latest click
``GET /v1/recommendations?viewed=a,b``  for a session that the asker tells, worked out here from the model that serves
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clickstream.errors import UserMistake
from consumers.recommendations.views import LENGTH, MOST_AT_ONCE, RecommendationsView, query_of, shown, suffices
from serving.api.coalescing import Coalesced, Remembered
from serving.ids import key

#: A page may show what is the same for many for so long without asking again (s); a visitor's own changes with every click.
POPULAR_FOR_S = 10
#: What is popular, and what is sold out, is read at most this often (s).
_POPULAR_READ_S = 2.0
_SOLD_OUT_READ_S = 5.0
_MOST_WITHOUT = 500
_MOST_VIEWED = 50
#: Calls to DynamoDB under way at once; visitors who come meanwhile share the next.
_AT_ONCE = 2


class Offers(Protocol):
    """What is read of ``consumers.recommendations.views.Recommendations``. Raises RetryLater, Missing.

    ``for_session`` does not block, and is asked from one thread; the others may.
    """

    def stored(self, user_ids: Sequence[str]) -> Mapping[str, RecommendationsView]: ...
    def popular(self) -> RecommendationsView: ...
    def sold_out(self) -> frozenset[str]: ...
    def for_session(self, viewed: Sequence[str], *, count: int, without: Set[str]) -> RecommendationsView | None: ...


def routes(offers: Offers, clock_s: Callable[[], float] = time.monotonic) -> list[Route]:
    """Both with ``?count=1..20`` items, and ``?without=a,b``: not these, beside what the inventory has none of."""
    endpoints = _Endpoints(offers, clock_s)
    return [
        Route("/v1/recommendations", endpoints.of_session),
        Route("/v1/recommendations/{user_id:path}", endpoints.of_visitor),
    ]


class _Endpoints:
    def __init__(self, offers: Offers, clock_s: Callable[[], float]) -> None:
        self._offers = offers
        self._stored = Coalesced(offers.stored, at_once=_AT_ONCE, most=MOST_AT_ONCE)
        self._popular = Remembered(offers.popular, _POPULAR_READ_S, clock_s)
        self._sold_out = Remembered(offers.sold_out, _SOLD_OUT_READ_S, clock_s)

    async def of_visitor(self, request: Request) -> Response:
        user_id = key(request.path_params["user_id"], "user id")
        count, without = await self._asked(request)
        found = await self._stored.of(user_id)
        popular = None if suffices(found, count, without) else await self._popular.value()
        return _answer(request, shown(user_id, found, popular, count, without))

    async def of_session(self, request: Request) -> Response:
        count, without = await self._asked(request)
        viewed = [key(item, "product id") for item in request.query_params.get("viewed", "").split(",") if item]
        if not 1 <= len(viewed) <= _MOST_VIEWED:
            raise UserMistake(
                f"{len(viewed)} products in viewed",
                hint=f"1 to {_MOST_VIEWED}, the latest last; or /v1/recommendations/USER_ID",
            )
        view = self._offers.for_session(viewed, count=count, without=without)
        if view is None:  # no model yet
            view = shown("", None, await self._popular.value(), count, without)
        return _answer(request, view, POPULAR_FOR_S)

    async def _asked(self, request: Request) -> tuple[int, frozenset[str]]:
        """How many items, and which not."""
        query = request.query_params
        without = frozenset(key(item, "product id") for item in query.get("without", "").split(",") if item)
        if len(without) > _MOST_WITHOUT:
            raise UserMistake(f"{len(without)} products in without", hint=f"at most {_MOST_WITHOUT}")
        return _count(query.get("count", str(LENGTH))), without | await self._sold_out.value()


def _answer(request: Request, view: RecommendationsView, fresh_s: int | None = None) -> Response:
    """``fresh_s``: for how long a personal answer may be shown again without asking."""
    if not view.personal:
        fresh_s = POPULAR_FOR_S
    headers = {
        "ETag": etag(view),
        "Cache-Control": "private, no-cache" if fresh_s is None else f"private, max-age={fresh_s}",
    }
    if _matches(request.headers.get("If-None-Match", ""), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(msgspec.json.encode(recommendations_json(view)), headers=headers, media_type="application/json")


def recommendations_json(view: RecommendationsView) -> dict[str, Any]:
    """The answer as the API and ``clickstream query recommendations --json`` give it."""
    return {
        "user_id": view.user_id or None,
        "personal": view.personal,
        "model": view.version or None,
        "made_at": view.made_at,
        "items": [
            {
                "product_id": each.item,
                "score": round(each.score, 6),
                "because": None if each.because is None else query_of(each.because) or each.because,
                "reason": reason(each.because),
            }
            for each in view.items
        ],
    }


def reason(because: str | None) -> str:
    """In words, for the page."""
    if because is None:
        return "popular right now"
    query = query_of(because)
    return f"because you viewed {because}" if query is None else f"because you searched for {query}"


def etag(view: RecommendationsView) -> str:
    """Of what is shown: the same list made again has the same tag."""
    shown = msgspec.json.encode((view.user_id, view.personal, view.version, view.items))
    return f'"{hashlib.sha256(shown).hexdigest()[:32]}"'


def _matches(header: str, tag: str) -> bool:
    return any(given.strip().removeprefix("W/") in (tag, "*") for given in header.split(","))


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= LENGTH):
        raise UserMistake(f"bad count {text!r}", hint=f"a number from 1 to {LENGTH}")
    return int(text)
