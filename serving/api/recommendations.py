"""What to show a visitor next, over HTTP, cacheable for the client that asks again.

``GET /v1/recommendations/{user_id}``   what the recommendations application stored after the visitor's latest click
``GET /v1/recommendations?viewed=a,b``  for a session that the client describes, computed here by the model that serves
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from clickstream.consumers.recommendations.views import (
    LENGTH,
    MOST_AT_ONCE,
    Recommendations,
    RecommendationsView,
    query_of,
    shown,
    suffices,
)
from clickstream.serving.api.coalescing import Coalesced, Remembered
from clickstream.serving.api.operation import Caching, Moment, Operation, count, key, products

#: A page may show what is the same for many for so long without asking again (s); a visitor's own changes with every click.
POPULAR_FOR_S = 10
#: What is popular, and what is sold out, is read at most this often (s).
_POPULAR_READ_S = 2.0
_SOLD_OUT_READ_S = 5.0
_MOST_WITHOUT = 500
_MOST_VIEWED = 50
#: A visitor's offer is read at most this often (s): parts of one page that ask for the same visitor share an answer.
_KNOWN_S = 0.25
#: Calls to DynamoDB under way at once; visitors who come meanwhile share the next.
_AT_ONCE = 2


class Item(msgspec.Struct, frozen=True):
    """A product, best first."""

    product_id: str
    score: float
    because: Annotated[str | None, Meta(description="the visitor's own item, or search, that speaks most for it")]
    reason: Annotated[str, Meta(description="the same in words")]


class RecommendationsAnswer(msgspec.Struct, frozen=True):
    """What to show."""

    user_id: str | None
    personal: Annotated[bool, Meta(description="false for a stranger, who gets what is popular")]
    model: str | None
    made_at: Moment | None
    items: Annotated[list[Item], Meta(description="best first")]


def recommendations(view: RecommendationsView) -> RecommendationsAnswer:
    return RecommendationsAnswer(
        user_id=view.user_id or None,
        personal=view.personal,
        model=view.version or None,
        made_at=view.made_at,
        items=[Item(each.item, round(each.score, 6), *_why(each.because)) for each in view.items],
    )


def _why(because: str | None) -> tuple[str | None, str]:
    if because is None:
        return None, "popular right now"
    query = query_of(because)
    return query or because, f"because you viewed {because}" if query is None else f"because you searched for {query}"


def etag(answer: RecommendationsAnswer) -> str:
    """Of what is shown: the same list made again has the same tag."""
    shown = msgspec.json.encode(msgspec.structs.replace(answer, made_at=None))
    return f'"{hashlib.sha256(shown).hexdigest()[:32]}"'


class Visitors:
    """Answers many clients with few calls to the stores. What is sold out is left out beside what they name."""

    def __init__(self, offers: Recommendations, clock_s: Callable[[], float] = time.monotonic) -> None:
        self.offers = offers
        self._stored = Coalesced(offers.stored, at_once=_AT_ONCE, most=MOST_AT_ONCE, for_s=_KNOWN_S, clock_s=clock_s)
        self._popular = Remembered(offers.popular, _POPULAR_READ_S, clock_s)
        self._sold_out = Remembered(offers.sold_out, _SOLD_OUT_READ_S, clock_s)

    async def of_visitor(self, _: object, *, user_id: str, count: int, without: Sequence[str]) -> RecommendationsAnswer:
        left_out = await self._sold_out.value() | {*without}
        found = await self._stored.of(user_id)
        popular = None if suffices(found, count, left_out) else await self._popular.value()
        return recommendations(shown(user_id, found, popular, count, left_out))

    async def of_session(
        self, _: object, *, viewed: Sequence[str], count: int, without: Sequence[str]
    ) -> RecommendationsAnswer:
        left_out = await self._sold_out.value() | {*without}
        view = self.offers.for_session(viewed, count=count, without=left_out)
        if view is None:  # no model yet
            view = shown("", None, await self._popular.value(), count, left_out)
        return recommendations(view)


COUNT = count("count", LENGTH, LENGTH, "items")
WITHOUT = products("without", "product ids that cannot be had, with commas between", most=_MOST_WITHOUT)
OF_VISITOR = Operation(
    "/v1/recommendations/{user_id}",
    "What to show a visitor next",
    "visitors",
    RecommendationsAnswer,
    Visitors.of_visitor,
    (key("user_id", "user_id", "the visitor", place="path"), COUNT, WITHOUT),
    caching=Caching(etag, lambda answer: None if answer.personal else POPULAR_FOR_S),
)
OF_SESSION = Operation(
    "/v1/recommendations",
    "What to show in a session that the asker tells",
    "visitors",
    RecommendationsAnswer,
    Visitors.of_session,
    (
        products(
            "viewed",
            "product ids, the latest last, with commas between",
            most=_MOST_VIEWED,
            required=True,
            instead=", the latest last; or /v1/recommendations/USER_ID",
        ),
        COUNT,
        WITHOUT,
    ),
    caching=Caching(etag, lambda _: POPULAR_FOR_S),
)
