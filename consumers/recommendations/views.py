"""The read model: what to show a visitor, and how often what was shown was clicked."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import msgspec

from clickstream.aws import Clients
from clickstream.aws.boto_types import KeysAndAttributesTypeDef
from clickstream.aws.items import query
from clickstream.consumers.explain.effects import item as stored_item
from clickstream.consumers.explain.life import Effect, Put
from clickstream.consumers.orders.views import inventory
from clickstream.consumers.recommendations import NAME, table_items
from clickstream.consumers.recommendations.needs import OFFERS
from clickstream.consumers.recommendations.offers import LENGTH, HitRate, is_due
from clickstream.errors import RetryLater
from clickstream.events import AnyEvent
from clickstream.failures.outages import asked
from clickstream.models import recommender
from clickstream.models.recommender.model import Recommended, Recommender, Seen, decode
from clickstream.models.recommender.queries import query_of
from clickstream.models.registry.following import LOOK_EVERY_MS, Followed
from clickstream.models.registry.s3 import Registry
from clickstream.platform import MODELS
from clickstream.settings import Settings

__all__ = [
    "LENGTH",
    "MOST_AT_ONCE",
    "NAME",
    "HitRate",
    "Recommendations",
    "RecommendationsView",
    "Recommended",
    "query_of",
    "shown",
    "suffices",
]

#: Keys of one BatchGetItem (DynamoDB's limit).
MOST_AT_ONCE = 100
_ATTEMPTS = 4


class RecommendationsView(msgspec.Struct, frozen=True, kw_only=True):
    """What to show a visitor, best first. ``version``: the model's, empty when there was none yet; ``made_at``: ms.

    ``personal`` is False when nothing is known of the visitor: then it is what is popular.
    """

    user_id: str
    personal: bool
    items: list[Recommended]
    version: str = ""
    made_at: int | None = None


class Recommendations:
    """Answers from the recommendations table. Raises RetryLater when DynamoDB does not answer, Missing without the table.

    ``clock_ms``: the wall clock. Sessions that the asker tells are answered by the model that serves.
    """

    def __init__(
        self,
        clients: Clients,
        settings: Settings,
        *,
        clock_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._dynamodb = clients.dynamodb
        self._table = OFFERS.of(settings)
        self._inventory = inventory(clients, settings)
        self._model = Followed(Registry(clients.s3, MODELS.of(settings)), recommender.NAME, decode)
        self._clock_ms = clock_ms
        self._looked_ms: int | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._looking: Future[None] | None = None
        self._serving: tuple[Recommender, str] | None = None

    def of(self, user_id: str, *, count: int = LENGTH, without: Set[str] = frozenset()) -> RecommendationsView:
        """At most ``count`` items, none sold out and none of ``without``; filled up with what is popular."""
        found = self.stored([user_id]).get(user_id)
        without = without | self.sold_out()
        popular = None if suffices(found, count, without) else self.popular()
        return shown(user_id, found, popular, count, without)

    def stored(self, user_ids: Sequence[str]) -> Mapping[str, RecommendationsView]:
        """What is stored for these visitors, at most ``MOST_AT_ONCE``; strangers are not in it."""
        keys = [{"subject": {"S": table_items.subject(user_id)}, "part": {"S": table_items.OFFER}} for user_id in user_ids]
        wanted: dict[str, KeysAndAttributesTypeDef] = {self._table: {"Keys": keys}}
        views = {}
        for _ in range(_ATTEMPTS):
            with asked("DynamoDB", f"table {self._table}"):
                answer = self._dynamodb.batch_get_item(RequestItems=wanted)
            for item in answer["Responses"].get(self._table, []):
                view = _view(table_items.user_of(item["subject"]["S"]), item)
                views[view.user_id] = view
            unprocessed = answer.get("UnprocessedKeys", {}).get(self._table)
            if not unprocessed:
                return views
            wanted = {self._table: {"Keys": unprocessed["Keys"]}}
        raise RetryLater("DynamoDB: throttled")

    def for_session(
        self, viewed: Sequence[str], *, count: int = LENGTH, without: Set[str] = frozenset()
    ) -> RecommendationsView | None:
        """For who has viewed these (the latest last), worked out here and now; None before any model was loaded.

        Does not block: models are loaded on a thread beside. Ask from one thread. Raises what a look at the registry raised,
        if that was a bug.
        """
        self._look_if_due()
        if self._serving is None:
            return None
        recommender, version = self._serving
        items = recommender.recommend([Seen(item) for item in viewed], count, without)
        return RecommendationsView(user_id="", personal=True, items=items, version=version)

    def _look_if_due(self) -> None:
        if self._looking is not None and self._looking.done():
            self._looking.result()
            self._looking = None
        now_ms = self._clock_ms()
        if self._looking is None and is_due(self._looked_ms, now_ms, LOOK_EVERY_MS):
            self._looked_ms = now_ms
            self._looking = self._thread.submit(self._look, now_ms)

    def _look(self, now_ms: int) -> None:
        if self._model.look(now_ms):
            model, version = self._model.value, self._model.version
            self._serving = None if model is None or version is None else (Recommender.of(model), version)

    def sold_out(self) -> frozenset[str]:
        return self._inventory.sold_out()

    def hit_rate(self) -> HitRate:
        """Over all shards, since the application first ran."""
        total = HitRate()
        for item in self._parts(table_items.HIT_RATE):
            total += HitRate(**{name: int(item[name]["N"]) for name in HitRate.__struct_fields__})
        return total

    def popular(self) -> RecommendationsView:
        """What to show a stranger: the shards' lists as one, since each has seen its own visitors."""
        views = [_view("", item) for item in self._parts(table_items.POPULAR)]
        scores: dict[str, float] = {}
        for view in views:
            for each in view.items:
                scores[each.item] = scores.get(each.item, 0.0) + each.score
        latest = max(views, key=lambda view: view.made_at or 0, default=None)
        return RecommendationsView(
            user_id="",
            personal=False,
            items=[Recommended(item, scores[item], None) for item in sorted(scores, key=lambda item: (-scores[item], item))],
            version="" if latest is None else latest.version,
            made_at=None if latest is None else latest.made_at,
        )

    def _parts(self, subject: str) -> Iterable[Mapping[str, Any]]:
        request = query(self._table, "subject = :subject", {"subject": subject}, ConsistentRead=False)
        with asked("DynamoDB", f"table {self._table}"):
            return [item for page in self._dynamodb.get_paginator("query").paginate(**request) for item in page["Items"]]


def suffices(found: RecommendationsView | None, count: int, without: Set[str]) -> bool:
    """Whether what is stored fills ``count`` places without any of ``without``."""
    return found is not None and sum(each.item not in without for each in found.items) >= count


def shown(
    user_id: str, found: RecommendationsView | None, popular: RecommendationsView | None, count: int, without: Set[str]
) -> RecommendationsView:
    """The answer from what is stored for a visitor, if anything, filled up with what is popular. Pure."""
    own = [] if found is None else [each for each in found.items if each.item not in without]
    taken = {each.item for each in own}
    rest = [] if popular is None else [each for each in popular.items if each.item not in without and each.item not in taken]
    if own and found is not None:
        return msgspec.structs.replace(found, items=[*own, *(each._replace(score=0.0) for each in rest)][:count])
    nothing = RecommendationsView(user_id=user_id, personal=False, items=[])
    return msgspec.structs.replace(popular or nothing, user_id=user_id, personal=False, items=rest[:count])


def _view(user_id: str, item: Mapping[str, Any]) -> RecommendationsView:
    return RecommendationsView(
        user_id=user_id,
        personal=True,
        items=table_items.decode(item["items"]["B"]),
        version=item["version"]["S"],
        made_at=int(item["made_at"]["N"]),
    )


def look(clients: Clients, settings: Settings, event: AnyEvent, put: Put) -> Effect | None:
    """The visitor's offer, if it was made of this event or of later ones too."""
    key = {"subject": {"S": table_items.subject(event.user_id)}, "part": {"S": table_items.OFFER}}
    found = stored_item(clients, OFFERS.of(settings), key)
    if found is None or found["position"]["S"] < str(put.position):
        return None
    # written again with each of the visitor's events: the time is that of the last
    return Effect(
        what="the visitor's offer includes it",
        model_version=found["version"]["S"] or None,
        facts={"offer_made_at": int(found["made_at"]["N"])},
    )
