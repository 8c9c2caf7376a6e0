"""The read model: what to show a visitor, and how often what was shown was clicked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from clickstream.aws import Clients
from clickstream.errors import Missing
from clickstream.settings import Settings
from consumers.recommendations import NAME, rows
from consumers.recommendations.offers import LENGTH, HitRate
from consumers.runtime.outages import translated
from models.recommender.model import Recommended

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import QueryInputPaginateTypeDef

__all__ = ["LENGTH", "NAME", "HitRate", "Recommendations", "RecommendationsView", "Recommended"]


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
    """Answers from the recommendations table. Raises RetryLater when DynamoDB does not answer, Missing without the table."""

    def __init__(self, clients: Clients, settings: Settings) -> None:
        self._dynamodb = clients.dynamodb
        self._table = settings.recommendations_table

    def of(self, user_id: str, *, count: int = LENGTH, without: Set[str] = frozenset()) -> RecommendationsView:
        """At most ``count`` items, none of ``without`` (what is not to be had, say); filled up with what is popular."""
        key = {"subject": {"S": rows.subject(user_id)}, "part": {"S": rows.OFFER}}
        with self._answering():
            item = self._dynamodb.get_item(TableName=self._table, Key=key).get("Item")
        found = None if item is None else _view(user_id, item, without)
        if found is not None and len(found.items) >= count:
            return msgspec.structs.replace(found, items=found.items[:count])
        popular = self._popular(user_id, without)
        if found is None or not found.items:
            return msgspec.structs.replace(popular, items=popular.items[:count])
        own = {each.item for each in found.items}
        filled = [*found.items, *(each._replace(score=0.0) for each in popular.items if each.item not in own)]
        return msgspec.structs.replace(found, items=filled[:count])

    def hit_rate(self) -> HitRate:
        """Over all shards, since the application first ran."""
        total = HitRate()
        for item in self._parts(rows.HIT_RATE):
            total += HitRate(**{name: int(item[name]["N"]) for name in HitRate.__struct_fields__})
        return total

    def _popular(self, user_id: str, without: Set[str]) -> RecommendationsView:
        """The shards' lists as one: each has seen its own visitors."""
        views = [_view(user_id, item, without) for item in self._parts(rows.POPULAR)]
        scores: dict[str, float] = {}
        for view in views:
            for each in view.items:
                scores[each.item] = scores.get(each.item, 0.0) + each.score
        latest = max(views, key=lambda view: view.made_at or 0, default=None)
        return RecommendationsView(
            user_id=user_id,
            personal=False,
            items=[Recommended(item, scores[item], None) for item in sorted(scores, key=lambda item: (-scores[item], item))],
            version="" if latest is None else latest.version,
            made_at=None if latest is None else latest.made_at,
        )

    def _parts(self, subject: str) -> Iterable[Mapping[str, Any]]:
        query: QueryInputPaginateTypeDef = {
            "TableName": self._table,
            "KeyConditionExpression": "subject = :subject",
            "ExpressionAttributeValues": {":subject": {"S": subject}},
        }
        with self._answering():
            return [item for page in self._dynamodb.get_paginator("query").paginate(**query) for item in page["Items"]]

    @contextmanager
    def _answering(self) -> Iterator[None]:
        with translated("DynamoDB"):
            try:
                yield
            except self._dynamodb.exceptions.ResourceNotFoundException as error:
                raise Missing(
                    f"no table {self._table}",
                    hint="start the local AWS (`clickstream local start`), or set AWS_ENDPOINT_URL",
                ) from error


def _view(user_id: str, item: Mapping[str, Any], without: Set[str]) -> RecommendationsView:
    return RecommendationsView(
        user_id=user_id,
        personal=True,
        items=[each for each in rows.decode(item["items"]["B"]) if each.item not in without],
        version=item["version"]["S"],
        made_at=int(item["made_at"]["N"]),
    )
