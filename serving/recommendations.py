"""``GET /v1/recommendations/{user_id}``: what to show a visitor next, cacheable by whoever asks again."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Set
from typing import Any, Protocol

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from clickstream.errors import UserMistake
from consumers.recommendations.views import LENGTH, RecommendationsView

#: A page may show a stranger's list for so long without asking again (s); a visitor's own changes with every click.
POPULAR_FOR_S = 10
_MOST_WITHOUT = 500


class Offers(Protocol):
    """What is read of ``consumers.recommendations.views.Recommendations``; blocking. Raises RetryLater, Missing."""

    def of(self, user_id: str, *, count: int, without: Set[str]) -> RecommendationsView: ...


def endpoint(offers: Offers) -> Callable[[Request], Awaitable[Response]]:
    """``?count=1..20`` items; ``?without=a,b`` leaves out what the shop cannot sell just now."""

    async def recommendations(request: Request) -> Response:
        query = request.query_params
        count = _count(query.get("count", str(LENGTH)))
        without = frozenset(item for item in query.get("without", "").split(",") if item)
        if len(without) > _MOST_WITHOUT:
            raise UserMistake(f"{len(without)} products in without", hint=f"at most {_MOST_WITHOUT}")
        view = await run_in_threadpool(offers.of, request.path_params["user_id"], count=count, without=without)
        headers = {
            "ETag": etag(view),
            "Cache-Control": "private, no-cache" if view.personal else f"private, max-age={POPULAR_FOR_S}",
        }
        if _matches(request.headers.get("If-None-Match", ""), headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return Response(msgspec.json.encode(recommendations_json(view)), headers=headers, media_type="application/json")

    return recommendations


def recommendations_json(view: RecommendationsView) -> dict[str, Any]:
    """The answer as the API and ``clickstream query recommendations --json`` give it."""
    return {
        "user_id": view.user_id,
        "personal": view.personal,
        "model": view.version or None,
        "made_at": view.made_at,
        "items": [
            {
                "product_id": each.item,
                "score": round(each.score, 6),
                "because": each.because,
                "reason": reason(each.because),
            }
            for each in view.items
        ],
    }


def reason(because: str | None) -> str:
    """In words, for the page."""
    return "popular right now" if because is None else f"because you viewed {because}"


def etag(view: RecommendationsView) -> str:
    """Of what is shown: the same list made again has the same tag."""
    shown = msgspec.json.encode((view.user_id, view.personal, view.version, view.items))
    return f'"{hashlib.sha256(shown).hexdigest()[:32]}"'


def _matches(header: str, tag: str) -> bool:
    return any(given.strip().removeprefix("W/") in (tag, "*") for given in header.split(","))


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= LENGTH):
        raise UserMistake(f"bad count {text!r}", hint=f"a number from 1 to {LENGTH}")
    return int(text)
