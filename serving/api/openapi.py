"""The OpenAPI 3.1 document of the JSON API, generated from the types that are answered. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from importlib import metadata
from typing import Any, NamedTuple

import msgspec

from clickstream.events import Key
from consumers.explain.views import Life
from consumers.recommendations.views import LENGTH
from serving.api.answers import Aggregates, Problem, Progress
from serving.api.fraud import Alerts, Decided, DecisionAnswer
from serving.api.routes import MOST_ALERTS, MOST_TOP

Schema = dict[str, Any]


class Item(msgspec.Struct, frozen=True):
    """A product, best first. ``because``: the visitor's own item that speaks most for it; ``reason``: the same in words."""

    product_id: str
    score: float
    because: str | None
    reason: str


class RecommendationsAnswer(msgspec.Struct, frozen=True):
    """What to show. ``personal`` is false for a stranger, who gets what is popular; ``made_at``: ms."""

    user_id: str | None
    personal: bool
    model: str | None
    made_at: int | None
    items: list[Item]


class Parameter(NamedTuple):
    name: str
    schema: Schema
    description: str
    place: str = "query"
    needed: bool = False


class Operation(NamedTuple):
    path: str
    route: str
    """The path as the router has it."""
    summary: str
    answer: Any
    parameters: Sequence[Parameter] = ()
    is_table: bool = True
    """Also answered as CSV."""
    statuses: Sequence[int] = (400, 503)
    absent: bool = False
    """404 comes with the same answer, which says what was searched."""


KEY: Schema = msgspec.json.schema(Key)
_MOMENT: Schema = {"type": "string", "examples": ["2026-11-24T10:00Z", "2h ago", "now", "1795527440000"]}
_FROM = Parameter("from", _MOMENT, "ISO 8601 (UTC without a zone), an age, now, or ms since the epoch")
_TO = Parameter("to", _MOMENT, "the same; exclusive")
_FORMAT = (
    Parameter("format", {"type": "string", "enum": ["json", "csv"], "default": "json"}, "csv is a file for a spreadsheet"),
    Parameter("download", {"type": "string", "enum": ["1"]}, "answered as a file"),
)


def _count(name: str, default: int, most: int, description: str) -> Parameter:
    return Parameter(name, {"type": "integer", "minimum": 1, "maximum": most, "default": default}, description)


_OFFERED = (
    _count("count", LENGTH, LENGTH, "items"),
    Parameter("without", {"type": "string"}, "product ids that cannot be had, with commas between"),
)

OPERATIONS = (
    Operation(
        "/v1/aggregates",
        "/v1/aggregates",
        "Counts, revenue, visitors, funnel and rankings by window of event time",
        Aggregates,
        (
            Parameter(
                "granularity", {"type": "string", "enum": ["minute", "hour", "day"], "default": "hour"}, "width of a window"
            ),
            _FROM,
            _TO,
            _count("top", 10, MOST_TOP, "places per ranking"),
        ),
    ),
    Operation("/v1/progress", "/v1/progress", "Every application on every shard", Progress),
    Operation(
        "/v1/fraud/decided", "/v1/fraud/decided", "Decisions on purchases, by minute of the decision", Decided, (_FROM, _TO)
    ),
    Operation(
        "/v1/fraud/alerts",
        "/v1/fraud/alerts",
        "The latest reviews and blocks of a day, with reasons",
        Alerts,
        (_count("count", 50, MOST_ALERTS, "at most so many"),),
    ),
    Operation(
        "/v1/decisions/{event_id}",
        "/v1/decisions/{event_id:path}",
        "The decision on one purchase",
        DecisionAnswer,
        (Parameter("event_id", KEY, "of the purchase", "path"),),
        is_table=False,
        statuses=(400, 404, 503),
    ),
    Operation(
        "/v1/recommendations/{user_id}",
        "/v1/recommendations/{user_id:path}",
        "What to show a visitor next",
        RecommendationsAnswer,
        (
            Parameter("user_id", KEY, "the visitor", "path"),
            *_OFFERED,
        ),
        is_table=False,
    ),
    Operation(
        "/v1/recommendations",
        "/v1/recommendations",
        "What to show in a session that the asker tells",
        RecommendationsAnswer,
        (
            Parameter(
                "viewed", {"type": "string", "minLength": 1}, "product ids, the latest last, with commas between", needed=True
            ),
            *_OFFERED,
        ),
        is_table=False,
    ),
    Operation(
        "/v1/explain/{event_id}",
        "/v1/explain/{event_id:path}",
        "One event's whole life, as far as the stream still holds it",
        Life,
        (
            Parameter("event_id", KEY, "of the event", "path"),
            Parameter("user", KEY, "reads only the shards where this user's events can be"),
        ),
        is_table=False,
        statuses=(400, 404, 503),
        absent=True,
    ),
)

_STATUSES = {
    400: "The question cannot be answered; the hint says how to ask",
    401: "A login is needed",
    404: "There is none",
    503: "A store does not answer; Retry-After says when to ask again",
}


def document(routes: Collection[str], *, with_login: bool) -> bytes:
    """The document, of those operations whose paths are among the router's."""
    offered = [operation for operation in OPERATIONS if operation.route in routes]
    answers, components = msgspec.json.schema_components(
        [*(operation.answer for operation in offered), Problem], ref_template="#/components/schemas/{name}"
    )
    problem = answers[-1]
    described: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": "clickstream: read API",
            "version": metadata.version("clickstream"),
            "description": "What the shop's stream says, live. Money is in minor units; times are ms since the epoch, UTC.",
        },
        "paths": {
            operation.path: {"get": _operation(operation, answer, problem, with_login)}
            for operation, answer in zip(offered, answers, strict=False)  # the last answer is the problem's
        },
        "components": {"schemas": components},
    }
    if with_login:
        described["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        described["security"] = [{"token": []}]
    return msgspec.json.format(msgspec.json.encode(described))


def _operation(operation: Operation, answer: Schema, problem: Schema, with_login: bool) -> Schema:
    content: Schema = {"application/json": {"schema": answer}}
    parameters = [*operation.parameters]
    if operation.is_table:
        content["text/csv"] = {"schema": {"type": "string"}}
        parameters += _FORMAT
    statuses = sorted({*operation.statuses, *((401,) if with_login else ())})
    return {
        "operationId": operation.path.removeprefix("/v1/").replace("/{", "-by-").replace("}", "").replace("/", "-"),
        "summary": operation.summary,
        "parameters": [
            {
                "name": each.name,
                "in": each.place,
                "required": each.needed or each.place == "path",
                "description": each.description,
                "schema": each.schema,
            }
            for each in parameters
        ],
        "responses": {
            "200": {"description": "The answer", "content": content},
            **{
                str(status): {
                    "description": _STATUSES[status],
                    "content": {"application/json": {"schema": answer if operation.absent and status == 404 else problem}},
                }
                for status in statuses
            },
        },
    }
